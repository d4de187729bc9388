//! What owners of v2 do to their resources while it runs.

use serde_json::json;

use super::super::world::{URL_PASSWORD, World, overlay};
use super::{Channel, Common, Endpoint, Group};

impl World {
    /// The group of this name.
    pub fn group(&mut self, name: &str) -> &mut Group {
        let found = self.v2.groups.iter_mut().find(|g| g.name == name);
        found.unwrap_or_else(|| panic!("the world has no group {name}"))
    }

    /// The channel of this id, `<group>.<channel>`.
    pub fn channel_v2(&mut self, id: &str) -> &mut Channel {
        let found = self.v2.channels.iter_mut().find(|c| c.id() == id);
        found.unwrap_or_else(|| panic!("the world has no v2 channel {id}"))
    }

    /// The endpoint of this id, `<group>.<channel>.<endpoint>`.
    pub fn endpoint_v2(&mut self, id: &str) -> &mut Endpoint {
        let found = self.v2.endpoints.iter_mut().find(|e| e.id() == id);
        found.unwrap_or_else(|| panic!("the world has no v2 endpoint {id}"))
    }

    /// Changes a group; `ModifiedAt` moves.
    pub fn edit_group(&mut self, name: &str, change: impl FnOnce(&mut Group)) {
        let now_ms = self.now_ms();
        let group = self.group(name);
        change(group);
        group.common.touch(now_ms);
    }

    /// Changes a channel; `ModifiedAt` moves.
    pub fn edit_channel_v2(&mut self, id: &str, change: impl FnOnce(&mut Channel)) {
        let now_ms = self.now_ms();
        let channel = self.channel_v2(id);
        change(channel);
        channel.common.touch(now_ms);
    }

    /// Changes an endpoint; `ModifiedAt` moves.
    pub fn edit_endpoint_v2(&mut self, id: &str, change: impl FnOnce(&mut Endpoint)) {
        let now_ms = self.now_ms();
        let endpoint = self.endpoint_v2(id);
        change(endpoint);
        endpoint.common.touch(now_ms);
    }

    /// Sets a tag of a group, channel or endpoint; `ModifiedAt` stays, as with AWS.
    pub fn tag_v2(&mut self, id: &str, key: &str, value: &str) {
        let common = self.common(id);
        common.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Takes a tag away; `ModifiedAt` stays.
    pub fn untag_v2(&mut self, id: &str, key: &str) {
        self.common(id).tags.remove(key);
    }

    fn common(&mut self, id: &str) -> &mut Common {
        match id.matches('.').count() {
            0 => &mut self.group(id).common,
            1 => &mut self.channel_v2(id).common,
            _ => &mut self.endpoint_v2(id).common,
        }
    }

    /// Removes a group with all that is in it.
    pub fn remove_group(&mut self, name: &str) {
        let of_group = self.v2.channels.iter().filter(|c| c.group == name);
        for id in of_group.map(Channel::id).collect::<Vec<_>>() {
            self.remove_channel_v2(&id);
        }
        self.v2.groups.retain(|g| g.name != name);
    }

    /// Removes a channel and its endpoints; its metrics stop, as AWS keeps what was.
    pub fn remove_channel_v2(&mut self, id: &str) {
        self.stop_metrics(id, self.minute());
        self.v2.channels.retain(|c| c.id() != id);
        self.v2.endpoints.retain(|e| e.channel_id() != id);
    }

    /// Removes an endpoint; its metrics stay as they are.
    pub fn remove_endpoint_v2(&mut self, id: &str) {
        self.v2.endpoints.retain(|e| e.id() != id);
    }

    /// Gives a channel another name, which with AWS is another channel: the metrics of the
    /// old one stop and those of the new one begin now.
    pub fn rename_channel_v2(&mut self, id: &str, name: &str) {
        let minute = self.minute();
        self.stop_metrics(id, minute);
        let endpoints = self.v2.endpoints.iter_mut();
        for endpoint in endpoints.filter(|e| e.channel_id() == id) {
            endpoint.channel = name.to_owned();
        }
        let now_ms = self.now_ms();
        let channel = self.channel_v2(id);
        channel.name = name.to_owned();
        channel.common.created_ms = now_ms;
        channel.common.touch(now_ms);
        let id = channel.id();
        self.add_metrics(&id);
        for key in self.keys_of(&id) {
            self.metrics.stop(&key, 0);
            self.metrics.start(&key, minute);
        }
    }

    /// Ends every series of a channel, of v1 or v2, or of a packaging configuration.
    pub fn stop_metrics(&mut self, id: &str, minute: i64) {
        for key in self.keys_of(id) {
            self.metrics.stop(&key, minute);
        }
    }

    /// What v2 adds to [`World::awkward`]: the longest names, ids of ingest endpoints that every
    /// channel has, texts that need care, nulls and what no model knows.
    pub fn add_awkward_v2(&mut self) {
        let long = "x".repeat(256);
        for group in ["-", "Group_1", &long] {
            self.add_group(group);
            for channel in ["-", "ch-0000", &long] {
                self.add_channel_v2(group, channel, 5);
                let channel = self.channel_v2(&format!("{group}.{channel}"));
                for (n, ingest) in channel.ingest.iter_mut().enumerate() {
                    ingest.id = (n + 1).to_string();
                }
            }
        }
        let text = "quote \" backslash \\ newline \n tab \t é 漢字 \u{1f3ac}".repeat(20);
        let first = self.channel_v2("-.-");
        first.common.description = Some(text.clone());
        first.common.tags = [("k/é \"".to_owned(), "v\n".repeat(120))].into();
        let user_info = format!("https://user:{URL_PASSWORD}@");
        for ingest in &mut first.ingest {
            ingest.url = ingest.url.replacen("https://", &user_info, 1);
        }
        self.channel_v2("-.ch-0000").input_type = String::from("HOLOGRAM");
        let channel = self.channel_v2("Group_1.-");
        channel.common.overlay = overlay(json!({
            "Arn": null, "CreatedAt": null, "ModifiedAt": null, "Description": null,
            "InputType": null, "MultiviewConfiguration": null, "IngestEndpoints": null,
        }));
        channel.common.got_overlay = overlay(json!({"Tags": null, "ETag": null}));
        let endpoint = self.endpoint_v2("-.-.hls");
        endpoint.common.overlay = overlay(json!({
            "ContainerType": "A_NEW_ONE", "HlsManifests": null, "DashManifests": [{}],
            "CreatedAt": null, "ModifiedAt": null, "Arn": null, "UriSeparator": "STAR",
        }));
        endpoint.common.got_overlay = overlay(json!({"Segment": null, "Tags": {"k": null}}));
        let group = self.group("Group_1");
        group.common.overlay = overlay(json!({"Arn": null, "Description": text}));
        group.common.got_overlay = overlay(json!({"EgressDomain": null, "tags": null}));
    }
}
