//! What the config reads from disk: itself, and the files that hold secrets.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Env, Secret};

/// Largest config file.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Largest file that holds one secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Where systemd puts what it hands over to its services (systemd.exec(5)). Our units hand over an
/// empty credential where there is no file.
const CREDENTIALS: &str = "/run/credentials";
/// Where our units take it from, those of an instance from a folder of its name in it.
const CREDENTIALS_ORIGIN: &str = "/etc/mediapackage2mqtt/credentials";
/// What our units are called, up to the instance.
const UNIT: &str = "mediapackage2mqtt";

/// Bits of a file mode that let others than the owner read or write.
#[cfg(unix)]
const MODE_OF_OTHERS: u32 = 0o077;

/// Variables that paths may hold, as systemd sets them (systemd.exec(5)).
const PATH_VARIABLES: [&str; 2] = ["CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"];

/// A config file as it was read.
pub(super) struct ConfigFile {
    /// Its text.
    pub text: String,
    /// Whether others than its owner may read or write it.
    pub open_to_others: bool,
}

/// Reads the config file.
///
/// # Errors
/// It is not there, cannot be read, is too large or is not UTF-8.
pub(super) fn read_config(path: &Path) -> Result<ConfigFile, String> {
    let hint = "give the right file with --config FILE";
    let (file, bytes) = open_and_read(path, CONFIG_BYTES_MAX)
        .map_err(|error| format!("cannot be read: {error}; {hint}"))?;
    let Some(bytes) = bytes else {
        return Err(format!(
            "is larger than {CONFIG_BYTES_MAX} bytes, so it is no config file; {hint}"
        ));
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        format!("is not UTF-8 at line {line}; save it as UTF-8")
    })?;
    Ok(ConfigFile {
        text,
        open_to_others: open_to_others(&file),
    })
}

/// Reads a file that holds one secret; a newline at its end is not part of it.
///
/// # Errors
/// It cannot be read, is no regular file, is empty, too large or not UTF-8. The message names
/// the path and never what is in it.
pub(super) fn read_secret(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    // A pipe would keep the start waiting for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(format!(
            "{shown} is not a file; name a file with the secret in it"
        ));
    }
    let (_, bytes) = open_and_read(path, SECRET_BYTES_MAX)
        .map_err(|error| format!("{shown} cannot be read: {error}; check path, owner and mode"))?;
    let Some(bytes) = bytes else {
        return Err(format!(
            "{shown} is larger than {SECRET_BYTES_MAX} bytes; name a file with the secret alone"
        ));
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(format!("{shown} is not UTF-8; write the secret as text"));
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        let origin = origin_of_credential(path);
        let place = origin.map_or(String::from("it"), |origin| origin.display().to_string());
        return Err(format!("{shown} is empty; write the secret into {place}"));
    }
    Ok(Secret::new(line))
}

/// The file that our unit took a credential from; `None` for a file that is none of them. Who
/// says otherwise in a drop-in knows it.
pub fn origin_of_credential(path: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(CREDENTIALS).ok()?;
    let (unit, name) = below.to_str()?.split_once('/')?;
    let instance = unit.strip_prefix(UNIT)?.strip_suffix(".service")?;
    let folder = Path::new(CREDENTIALS_ORIGIN).join(instance.trim_start_matches('@'));
    Some(folder.join(name))
}

/// A path as it is meant: `${…}` expanded, and relative to `folder`.
///
/// # Errors
/// A variable that is unknown or not set.
pub(super) fn expand(text: &str, folder: &Path, env: &Env) -> Result<PathBuf, String> {
    if text == "~" || text.starts_with("~/") {
        return Err(String::from(
            "~ is not expanded; write the whole path, from / on",
        ));
    }
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err(String::from("has ${ without }; close the bracket"));
        };
        expanded.push_str(before);
        expanded.push_str(variable(name, env)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(folder.join(expanded))
}

/// systemd's state directory: the first of the list, where there are several.
pub(super) fn state_directory(env: &Env) -> Option<&str> {
    env.get("STATE_DIRECTORY")?.split(':').next()
}

fn variable<'e>(name: &str, env: &'e Env) -> Result<&'e str, String> {
    let value = match name {
        "STATE_DIRECTORY" => state_directory(env),
        name if PATH_VARIABLES.contains(&name) => env.get(name),
        name => {
            return Err(format!(
                "${{{}}} is not expanded; only ${{{}}} and ${{{}}} are",
                name.escape_debug(),
                PATH_VARIABLES[0],
                PATH_VARIABLES[1]
            ));
        }
    };
    value.ok_or_else(|| {
        let by_hand = match name == PATH_VARIABLES[0] {
            true => format!("by hand run it with sudo env {name}={CREDENTIALS_ORIGIN} in front"),
            false => String::from("elsewhere write the path"),
        };
        format!("{name} is not set; systemd sets it for its services, {by_hand}")
    })
}

/// The open file and what it holds; `None` when that is more than `bytes_max`.
fn open_and_read(path: &Path, bytes_max: u64) -> std::io::Result<(File, Option<Vec<u8>>)> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    (&file).take(bytes_max + 1).read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= bytes_max;
    Ok((file, fits.then_some(bytes)))
}

#[cfg(unix)]
fn open_to_others(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map(|found| found.permissions().mode());
    mode.is_ok_and(|mode| mode & MODE_OF_OTHERS != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_missing_is_told_by_the_file_to_write() {
        let own = "/etc/mediapackage2mqtt/credentials/mqtt_key";
        let of_instance = "/etc/mediapackage2mqtt/credentials/eu-west-1/mqtt_key";
        let cases = [
            ("mediapackage2mqtt.service/mqtt_key", Some(own)),
            (
                "mediapackage2mqtt@eu-west-1.service/mqtt_key",
                Some(of_instance),
            ),
            ("other.service/mqtt_key", None),
            ("mqtt_key", None),
        ];
        for (below, wanted) in cases {
            let origin = origin_of_credential(&Path::new(CREDENTIALS).join(below));
            assert_eq!(origin.as_deref(), wanted.map(Path::new), "{below}");
        }
        assert_eq!(origin_of_credential(Path::new(own)), None);
    }

    #[test]
    fn paths_are_relative_to_the_config_file_and_hold_two_variables() {
        let env = Env::from_iter([
            ("CREDENTIALS_DIRECTORY", "/run/credentials/x"),
            ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
        ]);
        let bare = Env::default();
        let cases = [
            (&bare, "ca.pem", Ok("/etc/m/ca.pem")),
            (&bare, "/ca.pem", Ok("/ca.pem")),
            (&bare, "$HOME/ca.pem", Ok("/etc/m/$HOME/ca.pem")),
            (
                &env,
                "${CREDENTIALS_DIRECTORY}/a",
                Ok("/run/credentials/x/a"),
            ),
            (&env, "${STATE_DIRECTORY}", Ok("/var/lib/a")),
            (
                &bare,
                "${STATE_DIRECTORY}/a",
                Err("STATE_DIRECTORY is not set"),
            ),
            (
                &bare,
                "${CREDENTIALS_DIRECTORY}/a",
                Err("sudo env CREDENTIALS_DIRECTORY=/etc/mediapackage2mqtt/credentials in front"),
            ),
            (&env, "${HOME}/a", Err("${HOME} is not expanded")),
            (&env, "${STATE_DIRECTORY", Err("without }")),
            (&env, "~/a", Err("~ is not expanded")),
        ];
        for (env, text, wanted) in cases {
            match (expand(text, Path::new("/etc/m"), env), wanted) {
                (Ok(path), Ok(wanted)) => assert_eq!(path, Path::new(wanted), "{text}"),
                (Err(said), Err(wanted)) => assert!(said.contains(wanted), "{text}: {said}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
