//! gzip without compression: stored blocks only (RFC 1951, section 3.2.4, and
//! RFC 1952). Enough to find out what a client does with `Content-Encoding`.

use super::http::Step;

/// A stored block holds no more.
const MAX_BLOCK: usize = 65_535;

/// Magic, "deflate", no flags, no time, no hints, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deflation {
    Complete,
    /// The last block and the checksum are missing.
    Truncated,
}

/// Wraps a body. Each step stays one step, as if the compressor were flushed.
pub(super) fn gzip(body: Vec<Step>, deflation: Deflation) -> Vec<Step> {
    let mut crc = !0;
    let mut length = 0_u32;
    let mut steps = vec![Step::Send(HEADER.to_vec())];
    for step in body {
        let Step::Send(bytes) = step else {
            steps.push(step);
            continue;
        };
        crc = update_crc(crc, &bytes);
        length = length.wrapping_add(bytes.len() as u32);
        steps.push(Step::Send(stored(&bytes)));
    }
    if deflation == Deflation::Complete {
        let mut trailer = vec![1, 0, 0, 0xff, 0xff]; // an empty block, the last
        trailer.extend_from_slice(&(!crc).to_le_bytes());
        trailer.extend_from_slice(&length.to_le_bytes());
        steps.push(Step::Send(trailer));
    }
    steps
}

fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(bytes.len() + 16);
    for block in bytes.chunks(MAX_BLOCK) {
        let length = block.len() as u16;
        blocks.push(0);
        blocks.extend_from_slice(&length.to_le_bytes());
        blocks.extend_from_slice(&(!length).to_le_bytes());
        blocks.extend_from_slice(block);
    }
    blocks
}

/// CRC-32 (RFC 1952, section 8), bit by bit.
fn update_crc(mut crc: u32, bytes: &[u8]) -> u32 {
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(!update_crc(!0, b"123456789"), 0xcbf4_3926);
    }
}
