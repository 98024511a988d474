//! bzip2, xz and Zstandard: formats whose headers say nothing about the build.

use super::{Decoder, Format, Found, Malformed};
use liblzma::stream::{CONCATENATED, Stream};

const XZ_MEMORY: u64 = 256 << 20;
const ZSTD_WINDOW_LOG: u32 = 27;

/// What differs between two compressed files.
pub(super) fn compare(decoder: &Decoder<'_>, format: Format, left: &[u8], right: &[u8], depth: usize) -> Found {
    let (left, right) = (unpacked(decoder, format, left)?, unpacked(decoder, format, right)?);
    Ok(vec![decoder.compare_unpacked(&left, &right, depth)])
}

fn unpacked(decoder: &Decoder<'_>, format: Format, packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    let unusable = Malformed("the decompressor cannot be set up");
    match format {
        Format::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(|_| unusable)?;
            decoder.unpack(&mut liblzma::read::XzDecoder::new_stream(packed, stream))
        }
        Format::Zstd => {
            let mut zstd = zstd::Decoder::with_buffer(packed).map_err(|_| unusable.clone())?;
            zstd.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| unusable)?;
            decoder.unpack(&mut zstd)
        }
        _ => decoder.unpack(&mut bzip2::read::MultiBzDecoder::new(packed)),
    }
}
