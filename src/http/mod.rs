//! The bounded server front, for the SNS listener and the local page.
