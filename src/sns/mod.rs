//! What SNS sends: envelopes, signatures, meaning, the spool.
