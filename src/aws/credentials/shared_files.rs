//! Profiles of the shared credentials and config files. Pure: text in, values out.
//!
//! Source: "Shared config and credentials files", AWS SDKs and tools reference guide. Nested
//! settings (indented lines) and sections that are no profiles are passed over.

use std::collections::BTreeMap;

/// Which of the two files a text is of: they name their sections differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `[name]`.
    Credentials,
    /// `[profile name]`, and `[default]`.
    Config,
}

/// The settings of one profile; names in lower case.
pub type Profile = BTreeMap<String, String>;

/// The settings of `profile` in `text`; empty when it has no such profile.
///
/// A section that comes twice counts as one, the later value of a setting wins.
pub fn profile(text: &str, kind: FileKind, profile: &str) -> Profile {
    let mut settings = Profile::new();
    let mut inside = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let name = section.split(']').next().unwrap_or("");
            inside = profile_name(name, kind) == Some(profile);
        } else if inside
            && !nested
            && let Some((name, value)) = line.split_once('=')
        {
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

fn profile_name(section: &str, kind: FileKind) -> Option<&str> {
    let section = section.trim();
    if kind == FileKind::Credentials || section == "default" {
        return Some(section);
    }
    let name = section.strip_prefix("profile")?;
    let bare = name.strip_prefix([' ', '\t'])?.trim();
    Some(bare.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(settings: &Profile) -> Vec<(&str, &str)> {
        settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn a_profile_is_found_by_the_name_its_file_gives_it() {
        let config = "\u{feff}# comment\n[default]\nregion = eu-west-1\n\n[profile edge]\n\
                      aws_access_key_id=A\n[profile \"two words\"]\nA = 1\n[sso-session edge]\n\
                      sso_region = x\n[edge]\nwrong = 1\n[profile  tab]\nb=2\n[profiled]\nc=3\n";
        let credentials = "[default]\r\nx = 1\r\n[edge]\r\ny = 2\r\n[profile edge]\r\nz = 3\r\n";
        let (conf, cred) = (FileKind::Config, FileKind::Credentials);
        let cases: [(&str, FileKind, &str, &[_]); 9] = [
            (config, conf, "default", &[("region", "eu-west-1")]),
            (config, conf, "edge", &[("aws_access_key_id", "A")]),
            (config, conf, "two words", &[("a", "1")]),
            (config, conf, "tab", &[("b", "2")]),
            (config, conf, "d", &[]),
            (config, conf, "absent", &[]),
            (credentials, cred, "default", &[("x", "1")]),
            (credentials, cred, "edge", &[("y", "2")]),
            (credentials, cred, "profile edge", &[("z", "3")]),
        ];
        for (text, kind, name, wanted) in cases {
            assert_eq!(pairs(&profile(text, kind, name)), wanted, "{name}");
        }
    }

    #[test]
    fn lines_are_read_as_the_aws_tools_read_them() {
        let cases: [(&str, &[_]); 8] = [
            ("[p]\nkey = a=b#c;d ", &[("key", "a=b#c;d")]),
            ("[p]\n  ; no = 1\n#no=2\nKEY=v", &[("key", "v")]),
            (
                "[p]\ns3 =\n  nested = 1\nkey = v",
                &[("key", "v"), ("s3", "")],
            ),
            ("[p]\nkey = 1\n[q]\nkey = 2\n[p]\nkey = 3", &[("key", "3")]),
            ("[ p ] # comment\nkey = v", &[("key", "v")]),
            ("key = outside\n[p]\nno equals sign", &[]),
            ("[p\nkey = v", &[("key", "v")]),
            ("", &[]),
        ];
        for (text, wanted) in cases {
            assert_eq!(
                pairs(&profile(text, FileKind::Credentials, "p")),
                wanted,
                "{text:?}"
            );
        }
    }
}
