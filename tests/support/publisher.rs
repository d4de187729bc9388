//! Publishes what a test plants, and returns when the broker has taken all of it.

use rumqttc::{Client, Event, Packet, PublishOptions, QoS};

use super::subscriber::options;

const IN_FLIGHT_MAX: usize = 50;
const PACKET_BYTES_MAX: usize = 2 << 20;

/// Publishes topics with their payloads, QoS 1, to a loopback port.
///
/// # Panics
///
/// When the broker ends the session.
pub fn publish(port: u16, messages: &[(&str, &[u8])], retain: bool) {
    let mut options = options(port);
    options.set_inflight(IN_FLIGHT_MAX as u16);
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (client, mut connection) = Client::builder(options).capacity(IN_FLIGHT_MAX + 1).build();
    let mut waiting = messages.iter();
    let mut unacknowledged = 0;
    loop {
        while unacknowledged < IN_FLIGHT_MAX {
            let Some((topic, payload)) = waiting.next() else {
                break;
            };
            let how = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
            let sent = client.try_publish(*topic, payload.to_vec(), how);
            sent.expect("room in the queue");
            unacknowledged += 1;
        }
        if unacknowledged == 0 {
            break;
        }
        let event = connection.recv().expect("a running client");
        if let Event::Incoming(Packet::PubAck(_)) = event.expect("a session") {
            unacknowledged -= 1;
        }
    }
    let _ = client.try_disconnect_now();
    while connection.recv().is_ok_and(|event| event.is_ok()) {}
}
