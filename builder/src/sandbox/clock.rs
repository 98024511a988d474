//! The object that varies the time of day, with the seconds it adds filled in. Pure.

/// The object as compiled from `clock.c`.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/clock.so"));
/// What stands in it for the number of seconds.
const PLACEHOLDER: &[u8; 8] = b"LARDER+s";

/// The object that adds `seconds`.
pub(crate) fn object(seconds: i64) -> Vec<u8> {
    let at = OBJECT
        .windows(8)
        .position(|window| window == PLACEHOLDER)
        .expect("clock.c has the placeholder, kept by `used`");
    let mut object = OBJECT.to_vec();
    object[at..at + 8].copy_from_slice(&seconds.to_le_bytes());
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholder_is_there_once_and_replaced() {
        assert_eq!(OBJECT.windows(8).filter(|window| *window == PLACEHOLDER).count(), 1);
        assert!(!object(-1).windows(8).any(|window| window == PLACEHOLDER));
    }
}
