//! What we believe about AWS: values and the rules that join them. Pure: no clock, no
//! randomness, no input or output, and no knowledge of MQTT.

pub mod alarms;
pub mod answer;
pub mod apis;
pub mod catalogue;
pub mod details;
pub mod fault;
pub mod gather;
pub mod glob;
pub mod harvest;
pub mod health;
pub mod history;
pub mod inventory;
pub mod logbook;
pub mod measure;
pub mod model;
pub mod month;
pub mod polled;
pub mod push;
pub mod reading;
pub mod source;
pub mod subscription;
pub mod time;
pub mod tracks;
pub mod wish;
