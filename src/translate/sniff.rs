//! What bytes are, told from how they begin. Only what Gemini reads is known
//! (<https://ai.google.dev/gemini-api/docs/file-input-methods>).

/// The MIME type, if it is a medium that Gemini reads.
pub(super) fn mime_type(bytes: &[u8]) -> Option<&'static str> {
    let is_at = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|b| b.starts_with(magic));
    Some(match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', ..] if is_at(8, b"WEBP") => "image/webp",
        [b'R', b'I', b'F', b'F', ..] if is_at(8, b"WAVE") => "audio/wav",
        [b'R', b'I', b'F', b'F', ..] if is_at(8, b"AVI ") => "video/avi",
        [b'F', b'O', b'R', b'M', ..] if is_at(8, b"AIFF") || is_at(8, b"AIFC") => "audio/aiff",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'I', b'D', b'3', ..] => "audio/mp3",
        // Sync words: ADTS has layer 0, MPEG audio another.
        [0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, ..] => "audio/aac",
        [0xff, 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => "audio/mp3",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "video/webm",
        [0, 0, 1, 0xb3 | 0xba, ..] => "video/mpeg",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => of_brand(brand.get(..4)?)?,
        _ => return None,
    })
}

/// The ISO base media file format (ISO 14496-12) holds many; its brand tells which.
fn of_brand(brand: &[u8]) -> Option<&'static str> {
    Some(match brand {
        b"heic" | b"heix" | b"heim" | b"heis" => "image/heic",
        b"mif1" | b"msf1" | b"hevc" | b"hevx" => "image/heif",
        // Gemini does not read AVIF.
        b"avif" | b"avis" => return None,
        b"qt  " => "video/mov",
        [b'3', b'g', ..] => "video/3gpp",
        _ => "video/mp4",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_known_by_how_they_begin() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n..."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x10\0\0\0WAVEfmt ", Some("audio/wav")),
            (b"RIFF\x10\0\0\0AVI LIST", Some("video/avi")),
            (b"FORM\0\0\0\0AIFF", Some("audio/aiff")),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"OggS", Some("audio/ogg")),
            (b"fLaC", Some("audio/flac")),
            (b"ID3\x04", Some("audio/mp3")),
            (b"\xff\xfb\x90", Some("audio/mp3")),
            (b"\xff\xf1\x50", Some("audio/aac")),
            (b"\x1a\x45\xdf\xa3", Some("video/webm")),
            (b"\0\0\x01\xba", Some("video/mpeg")),
            (b"\0\0\0\x18ftypheic", Some("image/heic")),
            (b"\0\0\0\x18ftypmif1", Some("image/heif")),
            (b"\0\0\0\x14ftypqt  ", Some("video/mov")),
            (b"\0\0\0\x14ftyp3gp5", Some("video/3gpp")),
            (b"\0\0\0\x18ftypisom", Some("video/mp4")),
            (b"\0\0\0\x18ftypavif", None),
            (b"\0\0\0\x18ftyp", None),
            (b"RIFF\x10\0\0\0", None),
            (b"RIFF\x10\0\0\0ACON", None),
            (b"<!doctype html><html>", None),
            (b"<svg xmlns=", None),
            (b"{\"token\": \"...\"}", None),
            (b"", None),
        ] {
            assert_eq!(mime_type(bytes), expected, "{bytes:?}");
        }
    }
}
