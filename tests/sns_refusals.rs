//! What SNS sends is taken, and every forgery that is known is refused.

#![allow(clippy::unwrap_used, missing_docs)]

mod scripted;

mod sns_refusals {
    mod addresses;
    mod calls;
    mod forgeries;
    mod genuine;
    mod rig;
    mod signatures;
    mod waiting;
}
