//! Errors as SQS writes them: the name of the model in the body, and the code that the older
//! query protocol had for it in a header.
//!
//! Source: service model of 2012-11-05; what public tests have recorded of AWS.

use std::fmt::Display;

use serde_json::json;

use super::super::refusal::Refusal;
use super::super::server::Answer;
use super::input::MEDIA_TYPE;

/// Errors of the model, with their older codes.
const OF_THE_MODEL: [(&str, &str); 20] = [
    (
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ),
    (
        "EmptyBatchRequest",
        "AWS.SimpleQueueService.EmptyBatchRequest",
    ),
    (
        "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    ),
    (
        "BatchEntryIdsNotDistinct",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    ),
    (
        "InvalidBatchEntryId",
        "AWS.SimpleQueueService.InvalidBatchEntryId",
    ),
    (
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    ),
    (
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
    ),
    ("InvalidAddress", "InvalidAddress"),
    ("InvalidAttributeName", "InvalidAttributeName"),
    ("InvalidIdFormat", "InvalidIdFormat"),
    ("InvalidSecurity", "InvalidSecurity"),
    ("OverLimit", "OverLimit"),
    ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
    ("RequestThrottled", "RequestThrottled"),
    ("KmsAccessDenied", "KMS.AccessDeniedException"),
    ("KmsDisabled", "KMS.DisabledException"),
    ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"),
    ("KmsInvalidState", "KMS.InvalidStateException"),
    ("KmsNotFound", "KMS.NotFoundException"),
    ("KmsThrottled", "KMS.ThrottlingException"),
];
/// Errors that all services have, with their older codes.
const OF_ALL: [(&str, &str); 10] = [
    ("AccessDeniedException", "AccessDenied"),
    ("ExpiredTokenException", "ExpiredToken"),
    ("IncompleteSignatureException", "IncompleteSignature"),
    ("InvalidParameterValueException", "InvalidParameterValue"),
    ("InvalidSignatureException", "SignatureDoesNotMatch"),
    (
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
    ),
    ("MissingRequiredParameterException", "MissingParameter"),
    ("SerializationException", "MalformedInput"),
    ("UnknownOperationException", "InvalidAction"),
    ("UnrecognizedClientException", "InvalidClientTokenId"),
];

/// The code that the query protocol had for this error. Batches tell it too.
pub fn older_code(code: &str) -> &str {
    let mut all = OF_THE_MODEL.iter().chain(&OF_ALL);
    let found = all.find(|(name, _)| *name == code);
    found.map_or(code, |(_, older)| older)
}

/// An error in SQS's form.
pub fn answer(refusal: &Refusal) -> Answer {
    let code = refusal.code.as_str();
    let is_of_the_model = OF_THE_MODEL.iter().any(|(name, _)| *name == code);
    let namespace = match is_of_the_model {
        true => "com.amazonaws.sqs",
        false => "com.amazon.coral.service",
    };
    let fault = match refusal.status {
        500.. => "Receiver",
        _ => "Sender",
    };
    let body = json!({"__type": format!("{namespace}#{code}"), "message": refusal.message});
    Answer::json(refusal.status, body.to_string())
        .with("Content-Type", MEDIA_TYPE)
        .with(
            "x-amzn-query-error",
            &format!("{};{fault}", older_code(code)),
        )
}

/// A parameter with a value that it cannot have.
pub fn value(value: impl Display, parameter: &str, reason: &str) -> Refusal {
    invalid(&format!(
        "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    ))
}

/// Parameters that are wrong in some other way.
pub fn invalid(text: &str) -> Refusal {
    Refusal::new(400, "InvalidParameterValueException", text)
}

/// A parameter that is not there.
pub fn missing(parameter: &str) -> Refusal {
    let text = format!("The request must contain the parameter {parameter}.");
    Refusal::new(400, "MissingRequiredParameterException", &text)
}

/// A queue that is not there, or of somebody else.
pub fn no_queue() -> Refusal {
    let text = "The specified queue does not exist.";
    Refusal::new(400, "QueueDoesNotExist", text)
}
