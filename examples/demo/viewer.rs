//! The demo's own subscription to what the agent publishes.

use std::sync::mpsc::SyncSender;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use mediapackage2mqtt::error::Failure;
use rumqttc::{Client, Connection, Event, MqttOptions, Packet, PublishOptions, QoS};

use super::News;

const PACKET_BYTES_MAX: usize = 1 << 20;
/// Requests of ours that may wait.
const REQUESTS_MAX: usize = 64;
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// A running subscription.
pub struct Viewer {
    client: Client,
    thread: JoinHandle<()>,
}

/// Subscribes to everything below `prefix` and tells each publication.
///
/// # Errors
///
/// When the broker cannot be reached.
pub fn start(
    host: &str,
    port: u16,
    prefix: &str,
    tell: SyncSender<News>,
) -> Result<Viewer, Failure> {
    let id = format!("mediapackage2mqtt-demo-{:x}", fastrand::u32(..));
    let mut options = MqttOptions::new(id, (host, port));
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (client, mut connection) = Client::builder(options).capacity(REQUESTS_MAX).build();
    if let Ok(Err(error)) = connection.recv() {
        let text = format!("no broker at {host}:{port}: {error}");
        return Err(Failure::failed(text));
    }
    let filter = format!("{prefix}/#");
    let asking = client.clone();
    let subscribe = move || drop(asking.try_subscribe(filter.as_str(), QoS::AtLeastOnce));
    subscribe();
    let thread = Builder::new()
        .name("demo-viewer".to_owned())
        .spawn(move || listen(connection, &subscribe, &tell))
        .map_err(|e| Failure::failed(format!("no thread for the viewer: {e}")))?;
    Ok(Viewer { client, thread })
}

impl Viewer {
    /// Clears these topics and ends the subscription.
    pub fn end(self, clears: &[String]) {
        for topic in clears {
            let retained = PublishOptions::new(QoS::AtLeastOnce).retained();
            let _ = self.client.publish(topic.as_str(), Vec::new(), retained);
        }
        let _ = self.client.disconnect();
        let _ = self.thread.join();
    }
}

fn listen(mut connection: Connection, subscribe: &dyn Fn(), tell: &SyncSender<News>) {
    let mut ending = false;
    while let Ok(event) = connection.recv() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => subscribe(),
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let news = News::Published(text(&publish.topic), text(&publish.payload));
                // While ending there may be nobody to tell, and no reason to wait.
                ending |= tell.send(news).is_err();
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) if ending => return,
            Err(_) => std::thread::sleep(RECONNECT_PAUSE),
        }
    }
}
