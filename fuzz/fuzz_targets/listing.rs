//! What decodes as a listing is encoded as the same bytes, and can be counted.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(listing) = store::TreeListing::decode(data) {
        assert_eq!(listing.encode(), data);
        let _ = listing.totals();
    }
});
