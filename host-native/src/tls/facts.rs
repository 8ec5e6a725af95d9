//! What a finished handshake tells the protocols: trace fields name the cipher, SCRAM binds to the channel.

use pillarbox_engine::types::TlsFacts;
use rustls::{ClientConnection, CommonState, ProtocolVersion, ServerConnection};

use super::client;

/// RFC 9266 §4.2: the label of the exported octets.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// Facts of a connection that this side accepted with a certificate of this hash, from a client with this identity.
pub(super) fn of_server(
    connection: &ServerConnection,
    end_point: &[u8],
    client_identity: Option<Vec<u8>>,
) -> TlsFacts {
    let mut exporter = [0; 32];
    let exported = connection.export_keying_material(&mut exporter[..], EXPORTER, Some(&[]));
    TlsFacts {
        exporter: exported.map_or_else(|_| Vec::new(), |octets| octets.to_vec()),
        server_end_point: end_point.to_vec(),
        client_identity,
        ..common(connection)
    }
}

/// Facts of a connection that this side opened.
pub(super) fn of_client(connection: &ClientConnection) -> TlsFacts {
    let mut exporter = [0; 32];
    let exported = connection.export_keying_material(&mut exporter[..], EXPORTER, Some(&[]));
    TlsFacts {
        exporter: exported.map_or_else(|_| Vec::new(), |octets| octets.to_vec()),
        server_end_point: client::end_point(connection),
        ..common(connection)
    }
}

fn common(connection: &CommonState) -> TlsFacts {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let cipher = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    // The library names those of TLS 1.3 with a prefix of its own.
    let cipher = cipher.and_then(|suite| suite.as_str()).unwrap_or_default();
    TlsFacts {
        version: version.into(),
        cipher: cipher.replace("TLS13_", "TLS_").into_bytes(),
        ..TlsFacts::default()
    }
}
