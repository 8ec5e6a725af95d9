//! PEM (RFC 7468): base64 between lines that name what it is. Keys and certificates lie in such files; what they mean
//! is left to `key` and `certificate`.

use pillarbox_engine::text::base64;

use crate::limits::PEM_MAX;

/// One thing of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands in its first line, such as `CERTIFICATE`.
    pub label: String,
    /// Its octets.
    pub der: Vec<u8>,
}

/// All blocks of a text, in their order; other lines are passed over, as RFC 7468 §2 has it.
#[must_use]
pub fn blocks(text: &[u8]) -> Vec<Block> {
    let mut out = Vec::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in text[..text.len().min(PEM_MAX)].split(|octet| *octet == b'\n') {
        let line = line.trim_ascii();
        if let Some(label) = between(line, b"-----BEGIN ") {
            open = Some((label, Vec::new()));
        } else if let Some(label) = between(line, b"-----END ") {
            let Some((begun, digits)) = open.take() else { continue };
            if let (true, Some(der)) = (begun == label, base64::decode(&digits)) {
                out.push(Block { label, der });
            }
        } else if let Some((_, digits)) = &mut open {
            // Lines of old encrypted keys, such as `Proc-Type: 4,ENCRYPTED`, make the text no base64.
            digits.extend_from_slice(line);
        }
    }
    out
}

fn between(line: &[u8], begin: &[u8]) -> Option<String> {
    let label = line.strip_prefix(begin)?.strip_suffix(b"-----")?;
    String::from_utf8(label.to_vec()).ok()
}

/// Writes one block.
#[must_use]
pub fn write(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in base64::encode(der).chunks(64) {
        out.extend(line.iter().map(|&digit| char::from(digit)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_and_noise_is_passed_over() {
        let text = format!("noise\r\n{}\n{}", write("A B", &[1; 100]), write("C", b""));
        let read = blocks(text.as_bytes());
        assert_eq!(read.len(), 2);
        assert_eq!((&read[0].label[..], &read[0].der[..]), ("A B", &[1; 100][..]));
        let broken =
            "-----BEGIN A-----\n!!\n-----END A-----\n-----BEGIN A-----\nAA==\n-----END B-----\n";
        assert!(blocks(broken.as_bytes()).is_empty());
    }
}
