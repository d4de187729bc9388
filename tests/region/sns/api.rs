//! The query API and the signing certificates, as `POST /` and `GET` of a URL of a message.
//! Only confirming and ending a subscription needs no signature.
//!
//! Source: service model of 2010-03-31; errors as the query protocol writes them.

use super::super::faults::covers;
use super::super::refusal::Refusal;
use super::super::server::{Answer, Request, Seen, authenticate};
use super::super::sigv4::decode;
use super::super::world::{ACCOUNT, World};
use super::deliverer::Delivery;
use super::{State, Subscription, lists};

const VERSION: &str = "2010-03-31";
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
const REQUEST_ID: &str = "075ecce8-8dac-11e1-bf80-f781d96e9307";
/// What the region calls the download of a certificate in its list of requests.
pub const SIGNING_CERTIFICATE: &str = "SigningCertificate";

/// The operation, when the request is one for SNS.
pub fn operation(request: &Request) -> Option<String> {
    if request.method == "GET" && request.path.starts_with("/SimpleNotificationService-") {
        return Some(SIGNING_CERTIFICATE.to_owned());
    }
    let is_root = request.path == "/" && request.header("x-amz-target").is_none();
    is_root.then(|| parameter(request, "Action")).flatten()
}

/// Answers a request. Nothing changes until [`carry_out`].
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    if seen.operation == SIGNING_CERTIFICATE {
        return certificate(world, request);
    }
    seen.parameters = parameters(request);
    let is_signed = request.header("authorization").is_some();
    let is_for_anybody = ["ConfirmSubscription", "Unsubscribe"].contains(&&*seen.operation);
    if is_signed || !is_for_anybody {
        authenticate(world, request, seen).map_err(in_query_words)?;
        allowed(world, request, &seen.operation)?;
    }
    if parameter(request, "Version").is_some_and(|version| version != VERSION) {
        let text = format!(
            "Could not find operation {} for this version",
            seen.operation
        );
        return Err(Refusal::new(400, "InvalidAction", &text));
    }
    let result = match seen.operation.as_str() {
        "ConfirmSubscription" => {
            let arn = &to_confirm(world, request, is_signed)?.arn;
            format!(
                "<ConfirmSubscriptionResult>\n    <SubscriptionArn>{arn}</SubscriptionArn>\n  \
                 </ConfirmSubscriptionResult>\n  "
            )
        }
        "Unsubscribe" => {
            to_end(world, request, is_signed)?;
            String::new()
        }
        "ListSubscriptionsByTopic" => lists::subscriptions(world, request, seen)?,
        "GetSubscriptionAttributes" => lists::attributes(world, request)?,
        other => {
            let text = format!("Could not find operation {other} for version {VERSION}");
            return Err(Refusal::new(400, "InvalidAction", &text));
        }
    };
    Ok(xml(
        200,
        &format!(
            "<{0}Response xmlns=\"{NAMESPACE}\">\n  {result}<ResponseMetadata>\n    \
         <RequestId>{REQUEST_ID}</RequestId>\n  </ResponseMetadata>\n</{0}Response>\n",
            seen.operation
        ),
    ))
}

/// Does what a request that was not refused asks for: what is to be sent for it.
pub fn carry_out(world: &mut World, request: &Request, seen: &Seen) -> Option<Delivery> {
    let is_signed = request.header("authorization").is_some();
    match seen.operation.as_str() {
        "ConfirmSubscription" => {
            let arn = to_confirm(world, request, is_signed).ok()?.arn.clone();
            let demanded = authenticates(request);
            let mut all = world.sns.subscriptions.iter_mut();
            let subscription = all.find(|s| s.arn == arn)?;
            subscription.state = State::Confirmed;
            subscription.authenticate_on_unsubscribe = demanded;
            None
        }
        "Unsubscribe" => {
            let arn = to_end(world, request, is_signed).ok()?.arn.clone();
            let message = world.end_subscription(&arn);
            // SNS writes to the endpoint only when nobody signed: then it may be a mistake.
            message.filter(|_| !is_signed)
        }
        _ => None,
    }
}

/// An error as the query protocol writes it.
pub fn error(refusal: &Refusal) -> Answer {
    let blame = if refusal.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    xml(
        refusal.status,
        &format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{blame}</Type>\n    \
         <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  \
         <RequestId>{REQUEST_ID}</RequestId>\n</ErrorResponse>\n",
            escaped(&refusal.code),
            escaped(&refusal.message)
        ),
    )
}

fn xml(status: u16, body: &str) -> Answer {
    Answer::json(status, body.to_owned()).with("Content-Type", "text/xml")
}

fn certificate(world: &World, request: &Request) -> Result<Answer, Refusal> {
    let name = request.path.trim_start_matches('/');
    let Some(pem) = world.sns.pem(name) else {
        return Err(Refusal::new(
            404,
            "NotFound",
            "There is no such certificate",
        ));
    };
    Ok(Answer::json(200, pem.to_owned()).with("Content-Type", "binary/octet-stream"))
}

/// The subscription that waits for the token of this request.
fn to_confirm<'a>(
    world: &'a World,
    request: &Request,
    is_signed: bool,
) -> Result<&'a Subscription, Refusal> {
    let topic_arn = required(request, "TopicArn")?;
    let token = required(request, "Token")?;
    if authenticates(request) && !is_signed {
        // The model says that a signature is needed; AWS's code for its lack was not found.
        let text = "AuthenticateOnUnsubscribe needs an authenticated request";
        return Err(Refusal::new(403, "AuthorizationError", text));
    }
    if !world.sns.topics.iter().any(|t| t.arn == topic_arn) {
        return Err(Refusal::new(404, "NotFound", "Topic does not exist"));
    }
    let mut all = world.sns.subscriptions.iter();
    let found = all.find(|s| s.topic_arn == topic_arn && s.token == token);
    let waiting = found.filter(|s| s.state != State::Confirmed);
    waiting.ok_or_else(|| invalid("Token"))
}

fn to_end<'a>(
    world: &'a World,
    request: &Request,
    is_signed: bool,
) -> Result<&'a Subscription, Refusal> {
    let arn = required(request, "SubscriptionArn")?;
    let mut all = world.sns.subscriptions.iter();
    let found = all.find(|s| s.arn == arn && s.state == State::Confirmed);
    let found =
        found.ok_or_else(|| Refusal::new(404, "NotFound", "Subscription does not exist"))?;
    // A queue cannot be told that it may restore what somebody else has ended.
    let is_for_its_owner = found.authenticate_on_unsubscribe || found.protocol() == "sqs";
    if is_for_its_owner && !is_signed {
        let text = "The subscription ends by an authenticated request only";
        return Err(Refusal::new(403, "AuthorizationError", text));
    }
    Ok(found)
}

fn authenticates(request: &Request) -> bool {
    parameter(request, "AuthenticateOnUnsubscribe").is_some_and(|value| value == "true")
}

/// What a policy denies to a key; whoever does not sign has no policy.
fn allowed(world: &World, request: &Request, operation: &str) -> Result<(), Refusal> {
    let action = format!("sns:{operation}");
    if !world.denied.iter().any(|denied| covers(denied, &action)) {
        return Ok(());
    }
    let topic_arn = parameter(request, "TopicArn");
    let resource = topic_arn.as_deref().unwrap_or("*");
    let text = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/edge is not authorized to perform: SNS:{operation} \
         on resource: {resource} because no identity-based policy allows the SNS:{operation} \
         action"
    );
    Err(Refusal::new(403, "AuthorizationError", &text))
}

/// A parameter that must be there.
pub fn required(request: &Request, name: &str) -> Result<String, Refusal> {
    let given = parameter(request, name).filter(|value| !value.is_empty());
    given.ok_or_else(|| invalid(name))
}

/// A parameter with a wrong value.
pub fn invalid(name: &str) -> Refusal {
    let text = format!("Invalid parameter: {name}");
    Refusal::new(400, "InvalidParameter", &text)
}

/// A parameter by its name.
pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let found = parameters(request).into_iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value)
}

/// Of the query, or of the body when it is a form.
fn parameters(request: &Request) -> Vec<(String, String)> {
    let media_type = request.header("content-type").unwrap_or_default();
    let is_form = media_type.starts_with("application/x-www-form-urlencoded");
    let form = match request.method.as_str() {
        "POST" if is_form => String::from_utf8_lossy(&request.body).into_owned(),
        "GET" => request.query.clone(),
        _ => String::new(),
    };
    let plain = |text: &str| {
        let bytes = decode(&text.replace('+', " "));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// The codes that the query protocol has for what is wrong with a signature.
pub fn in_query_words(mut refusal: Refusal) -> Refusal {
    let code = match refusal.code.as_str() {
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "ExpiredTokenException" => "ExpiredToken",
        "IncompleteSignatureException" => "IncompleteSignature",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        other => other,
    };
    refusal.code = code.to_owned();
    refusal
}

/// Text as it stands in XML.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}
