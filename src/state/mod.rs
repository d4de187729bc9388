//! What we believe about AWS: values and the rules that join them. Pure: no clock, no
//! randomness, no input or output, and no knowledge of MQTT.

pub mod fault;
pub mod glob;
pub mod model;
pub mod polled;
pub mod time;
