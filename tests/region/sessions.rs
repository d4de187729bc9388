//! Who gives out sessions: STS, the AWS IoT credential provider, and the metadata services of
//! instances and containers. Each session is a key that the region lets in until it ends.
//!
//! Sources: STS API reference; EC2 user guide; ECS developer guide; for what AWS IoT says, the
//! notes of awslabs' aws-iot-core-credential-provider-session-helper.

use std::collections::BTreeMap;

use serde_json::json;

use super::faults::covers;
use super::refusal::Refusal;
use super::server::{Answer, Request, Seen, authenticate};
use super::sns::api::{in_query_words, parameter, required};
use super::sns::json::iso_seconds;
use super::world::{ACCOUNT, Key, World};

/// Begins the key id of every session.
pub const KEY_ID: &str = "ASIASYNTHETIC";
/// Begins the secret of every session.
pub const SECRET: &str = "planted/session-secret+";
/// Begins the token of every session.
pub const TOKEN: &str = "planted-session-token/+==";
/// What the trust policy of a role may ask for.
pub const EXTERNAL_ID: &str = "planted-external-id-9b1e";
/// By which an instance asks its metadata service.
pub const IMDS_TOKEN: &str = "planted-imds-token-3f==";
/// By which a container asks.
pub const CONTAINER_TOKEN: &str = "planted-container-token-77";
/// By which a pod asks STS.
pub const WEB_TOKEN: &str = "planted.web.token-5c";
/// Where the container's credentials are.
pub const CONTAINER_PATH: &str = "/container/v1/credentials";

/// All of the above that are secret: no list of a service holds them.
pub const SECRETS: &[&str] = &[
    KEY_ID,
    SECRET,
    TOKEN,
    EXTERNAL_ID,
    IMDS_TOKEN,
    CONTAINER_TOKEN,
    WEB_TOKEN,
];

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const HOUR_MS: i64 = 3_600_000;

/// Who may have a session.
pub struct Sessions {
    /// Roles that may be taken, with the external id that they ask for.
    pub roles: BTreeMap<String, Option<String>>,
    /// Role aliases of AWS IoT.
    pub aliases: Vec<String>,
    /// The thing that the certificate is attached to.
    pub thing: Option<String>,
    /// Role of the instance.
    pub instance_role: Option<String>,
    /// What a container must show.
    pub container_token: Option<String>,
    /// How long a session lasts whose length nobody asks for.
    pub lifetime_ms: i64,
    /// How many were given out.
    pub given: usize,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            roles: BTreeMap::new(),
            aliases: Vec::new(),
            thing: None,
            instance_role: None,
            container_token: None,
            lifetime_ms: HOUR_MS,
            given: 0,
        }
    }
}

/// Service and operation, when the request is for a session.
pub fn operation(request: &Request) -> Option<(&'static str, &'static str)> {
    let is_get = request.method == "GET";
    let path = request.path.as_str();
    if request.method == "PUT" && path == "/latest/api/token" {
        return Some(("imds", "Token"));
    }
    if let Some(role) = path.strip_prefix(ROLES_PATH).filter(|_| is_get) {
        let operation = if role.is_empty() { "Roles" } else { "Role" };
        return Some(("imds", operation));
    }
    if is_get && path == CONTAINER_PATH {
        return Some(("container", "Credentials"));
    }
    if is_get && path.starts_with("/role-aliases/") {
        return Some(("iot", "AssumeRoleWithCertificate"));
    }
    let is_root = path == "/" && request.header("x-amz-target").is_none();
    match is_root.then(|| parameter(request, "Action"))?.as_deref() {
        Some("AssumeRole") => Some(("sts", "AssumeRole")),
        Some("AssumeRoleWithWebIdentity") => Some(("sts", "AssumeRoleWithWebIdentity")),
        _ => None,
    }
}

/// Answers a request. Nothing changes until [`carry_out`].
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    match seen.service.as_str() {
        "sts" => sts(world, request, seen),
        "iot" => iot(world, request, seen),
        "imds" => imds(world, request, seen),
        _ => container(world, request),
    }
}

/// The session of an answer becomes a key.
pub fn carry_out(world: &mut World, request: &Request, seen: &Seen) {
    if ["Token", "Roles"].contains(&seen.operation.as_str()) {
        return;
    }
    let key = next(world, request);
    world.sessions.given += 1;
    world.keys.push(key);
}

/// The session that is given out next.
fn next(world: &World, request: &Request) -> Key {
    let n = world.sessions.given + 1;
    let asked = parameter(request, "DurationSeconds").and_then(|text| text.parse::<i64>().ok());
    let lasts_ms = asked.map_or(world.sessions.lifetime_ms, |seconds| seconds * 1000);
    let token = format!("{TOKEN}{n}");
    let (id, secret) = (format!("{KEY_ID}{n:07}"), format!("{SECRET}{n}"));
    Key {
        expires_ms: Some(world.now_ms() + lasts_ms),
        ..Key::new(&id, &secret, Some(&token))
    }
}

fn end_of(key: &Key) -> String {
    iso_seconds(key.expires_ms.unwrap_or_default())
}

fn sts(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let operation = seen.operation.clone();
    if operation == "AssumeRole" {
        authenticate(world, request, seen).map_err(in_query_words)?;
    } else {
        let token = required(request, "WebIdentityToken")?;
        if token != WEB_TOKEN {
            let text = format!("The token {token} is not of a known provider");
            return Err(Refusal::new(400, "InvalidIdentityToken", &text));
        }
    }
    let arn = required(request, "RoleArn")?;
    let session = required(request, "RoleSessionName")?;
    let given = parameter(request, "ExternalId");
    let wanted = world.sessions.roles.get(&arn);
    let action = format!("sts:{operation}");
    let denied = world.denied.iter().any(|denied| covers(denied, &action));
    if denied || wanted.is_none_or(|wanted| wanted.is_some() && *wanted != given) {
        let id = given.unwrap_or_default();
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/edge is not authorized to perform: {action} on \
             resource: {arn} {id}"
        );
        return Err(Refusal::new(403, "AccessDenied", &text));
    }
    let seconds = parameter(request, "DurationSeconds").and_then(|s| s.parse::<u32>().ok());
    if seen.key_id.starts_with(KEY_ID) && seconds.is_some_and(|seconds| seconds > 3600) {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles \
                    assumed by role chaining";
        return Err(Refusal::new(400, "ValidationError", text));
    }
    let key = next(world, request);
    let (token, end) = (key.token.as_deref().unwrap_or_default(), end_of(&key));
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">\n  <{operation}Result>\n    \
         <AssumedRoleUser>\n      <AssumedRoleId>AROA:{session}</AssumedRoleId>\n      \
         <Arn>{arn}/{session}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n      \
         <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{token}</SessionToken>\n      <Expiration>{end}</Expiration>\n    \
         </Credentials>\n  </{operation}Result>\n</{operation}Response>\n",
        key.id, key.secret
    );
    Ok(Answer::json(200, body).with("Content-Type", "text/xml"))
}

fn iot(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let refused = |status, code, text| Err(Refusal::new(status, code, text));
    let thing = request.header("x-amzn-iot-thingname");
    seen.parameters = thing
        .map(|thing| vec![("thing".to_owned(), thing.to_owned())])
        .unwrap_or_default();
    let sessions = &world.sessions;
    if thing.is_some() && thing != sessions.thing.as_deref() {
        return refused(403, "AccessDeniedException", "Invalid thing name passed");
    }
    let action = "iot:AssumeRoleWithCertificate";
    if world.denied.iter().any(|denied| covers(denied, action)) {
        return refused(403, "AccessDeniedException", "Access Denied");
    }
    let alias = request.path.split('/').nth(2).unwrap_or_default();
    if !sessions.aliases.iter().any(|known| known == alias) {
        let text = "Role alias does not exist";
        return refused(404, "ResourceNotFoundException", text);
    }
    let key = next(world, request);
    let body = json!({"credentials": {
        "accessKeyId": key.id,
        "secretAccessKey": key.secret,
        "sessionToken": key.token,
        "expiration": end_of(&key),
    }});
    Ok(Answer::json(200, body.to_string()))
}

fn imds(world: &World, request: &Request, seen: &Seen) -> Result<Answer, Refusal> {
    let text = |body: &str| Answer::json(200, body.to_owned()).with("Content-Type", "text/plain");
    if seen.operation == "Token" {
        let ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds");
        let seconds = ttl.and_then(|ttl| ttl.parse::<u32>().ok());
        return match seconds {
            Some(1..=21_600) => Ok(text(IMDS_TOKEN)),
            _ => Err(Refusal::new(400, "BadRequest", "no such ttl")),
        };
    }
    if request.header("x-aws-ec2-metadata-token") != Some(IMDS_TOKEN) {
        return Err(Refusal::new(401, "Unauthorized", "no token"));
    }
    let role = world.sessions.instance_role.as_deref();
    let asked = request.path.strip_prefix(ROLES_PATH).unwrap_or_default();
    match role {
        Some(role) if asked.is_empty() => Ok(text(role)),
        Some(role) if asked == role => Ok(of_metadata(world, request)),
        _ => Err(Refusal::new(404, "NotFound", "not found")),
    }
}

fn container(world: &World, request: &Request) -> Result<Answer, Refusal> {
    let shown = request.header("authorization");
    if shown != world.sessions.container_token.as_deref() {
        let text = format!("the token {} is not known", shown.unwrap_or_default());
        return Err(Refusal::new(401, "Unauthorized", &text));
    }
    Ok(of_metadata(world, request))
}

fn of_metadata(world: &World, request: &Request) -> Answer {
    let key = next(world, request);
    let body = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.token,
        "Expiration": end_of(&key),
    });
    Answer::json(200, body.to_string())
}

/// A refusal as STS writes it, or as the others do.
pub fn error(service: &str, refusal: &Refusal) -> Answer {
    let (status, code) = (refusal.status, &refusal.code);
    if service != "sts" {
        let body = json!({"message": refusal.message}).to_string();
        return Answer::json(status, body).with("x-amzn-ErrorType", code);
    }
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{code}</Code>\n    <Message>{}</Message>\n  </Error>\n</ErrorResponse>\n",
        refusal.message
    );
    Answer::json(status, body).with("Content-Type", "text/xml")
}
