//! Grisu2 (Florian Loitsch, “Printing Floating-Point Numbers Quickly and Accurately with Integers”, 2010): digits that
//! read back as the same number. They are nearly always the shortest; where they are not, the JSON library that Nix uses
//! prints the same longer ones, which is why this is here.

/// A number `mantissa · 2^exponent`.
#[derive(Debug, Clone, Copy)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

impl Scaled {
    /// The product, rounded to 64 bits.
    const fn times(self, other: Self) -> Self {
        let product = self.mantissa as u128 * other.mantissa as u128 + (1 << 63);
        Self { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }

    /// The same number with its highest bit set.
    const fn normalised(self) -> Self {
        let shift = self.mantissa.leading_zeros();
        Self { mantissa: self.mantissa << shift, exponent: self.exponent - shift as i32 }
    }
}

/// The digits of a positive finite number, and the power of ten of the first one.
pub(super) fn digits(number: f64) -> (String, i32) {
    let [below, value, above] = with_neighbours(number);
    let (power, decimal) = power_for(above.exponent);
    let [below, value, above] = [below, value, above].map(|scaled| scaled.times(power));
    // The bounds are inexact by one at most: what lies strictly between reads back as the number.
    let (lowest, highest) = (below.mantissa + 1, above.mantissa - 1);
    let mut generator = Generator {
        digits: Vec::with_capacity(17),
        exponent: -decimal,
        unsafe_interval: highest - lowest,
        distance: highest - value.mantissa,
    };
    generator.run(highest, (-above.exponent) as u32);
    let exponent = generator.exponent + generator.digits.len() as i32 - 1;
    (generator.digits.iter().map(|digit| char::from(b'0' + digit)).collect(), exponent)
}

/// The number, normalised, between the bounds of what is rounded to it, which have the exponent of the upper one.
fn with_neighbours(number: f64) -> [Scaled; 3] {
    const FRACTION_BITS: u32 = 52;
    let bits = number.to_bits();
    let (fraction, biased) = (bits & ((1 << FRACTION_BITS) - 1), (bits >> FRACTION_BITS) as i32);
    let value = match biased {
        0 => Scaled { mantissa: fraction, exponent: 1 - 1075 },
        _ => Scaled { mantissa: fraction + (1 << FRACTION_BITS), exponent: biased - 1075 },
    };
    // The neighbour below a power of two is only half as far away.
    let near = fraction == 0 && biased > 1;
    let above = Scaled { mantissa: 2 * value.mantissa + 1, exponent: value.exponent - 1 }.normalised();
    let below = match near {
        true => Scaled { mantissa: 4 * value.mantissa - 1, exponent: value.exponent - 2 },
        false => Scaled { mantissa: 2 * value.mantissa - 1, exponent: value.exponent - 1 },
    };
    let below = Scaled { mantissa: below.mantissa << (below.exponent - above.exponent), exponent: above.exponent };
    [below, value.normalised(), above]
}

/// A power of ten, and its exponent, that brings a number with a binary exponent to one from -60 to -32.
fn power_for(exponent: i32) -> (Scaled, i32) {
    let least = -60 - exponent - 1;
    // 78913 / 2^18 is a little more than the logarithm of 2.
    let decimal = least * 78913 / (1 << 18) + i32::from(least > 0);
    let index = (decimal - POWERS[0].2 + 7) / 8;
    let (mantissa, exponent, decimal) = POWERS[index as usize];
    (Scaled { mantissa, exponent }, decimal)
}

struct Generator {
    digits: Vec<u8>,
    /// The power of ten of the last digit.
    exponent: i32,
    /// How far below the highest number the lowest is.
    unsafe_interval: u64,
    /// How far below the highest number the wanted one is.
    distance: u64,
}

impl Generator {
    /// Generates digits of the highest number, which has so many bits behind its point, until the rest is unsafe.
    fn run(&mut self, highest: u64, point: u32) {
        let one = 1_u64 << point;
        let (mut whole, mut fraction) = ((highest >> point) as u32, highest & (one - 1));
        let mut left = whole.checked_ilog10().map_or(1, |log| log + 1);
        while left > 0 {
            left -= 1;
            let unit = 10_u32.pow(left);
            self.digits.push((whole / unit) as u8);
            whole %= unit;
            let rest = (u64::from(whole) << point) + fraction;
            if rest <= self.unsafe_interval {
                self.exponent += left as i32;
                return self.round(rest, u64::from(unit) << point);
            }
        }
        loop {
            fraction *= 10;
            self.digits.push((fraction >> point) as u8);
            fraction &= one - 1;
            self.exponent -= 1;
            self.unsafe_interval *= 10;
            self.distance *= 10;
            if fraction <= self.unsafe_interval {
                return self.round(fraction, one);
            }
        }
    }

    /// Lowers the last digit, of that weight, while that leads nearer to the wanted number.
    fn round(&mut self, mut rest: u64, unit: u64) {
        let Self { distance, unsafe_interval, .. } = *self;
        while rest < distance
            && unsafe_interval - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            if let Some(last) = self.digits.last_mut() {
                *last -= 1;
            }
            rest += unit;
        }
    }
}

/// Every eighth power of ten: the mantissa to 64 bits, rounded, its binary exponent, and the power.
const POWERS: [(u64, i32, i32); 79] = [
    (0xab70fe17c79ac6ca, -1060, -300),
    (0xff77b1fcbebcdc4f, -1034, -292),
    (0xbe5691ef416bd60c, -1007, -284),
    (0x8dd01fad907ffc3c, -980, -276),
    (0xd3515c2831559a83, -954, -268),
    (0x9d71ac8fada6c9b5, -927, -260),
    (0xea9c227723ee8bcb, -901, -252),
    (0xaecc49914078536d, -874, -244),
    (0x823c12795db6ce57, -847, -236),
    (0xc21094364dfb5637, -821, -228),
    (0x9096ea6f3848984f, -794, -220),
    (0xd77485cb25823ac7, -768, -212),
    (0xa086cfcd97bf97f4, -741, -204),
    (0xef340a98172aace5, -715, -196),
    (0xb23867fb2a35b28e, -688, -188),
    (0x84c8d4dfd2c63f3b, -661, -180),
    (0xc5dd44271ad3cdba, -635, -172),
    (0x936b9fcebb25c996, -608, -164),
    (0xdbac6c247d62a584, -582, -156),
    (0xa3ab66580d5fdaf6, -555, -148),
    (0xf3e2f893dec3f126, -529, -140),
    (0xb5b5ada8aaff80b8, -502, -132),
    (0x87625f056c7c4a8b, -475, -124),
    (0xc9bcff6034c13053, -449, -116),
    (0x964e858c91ba2655, -422, -108),
    (0xdff9772470297ebd, -396, -100),
    (0xa6dfbd9fb8e5b88f, -369, -92),
    (0xf8a95fcf88747d94, -343, -84),
    (0xb94470938fa89bcf, -316, -76),
    (0x8a08f0f8bf0f156b, -289, -68),
    (0xcdb02555653131b6, -263, -60),
    (0x993fe2c6d07b7fac, -236, -52),
    (0xe45c10c42a2b3b06, -210, -44),
    (0xaa242499697392d3, -183, -36),
    (0xfd87b5f28300ca0e, -157, -28),
    (0xbce5086492111aeb, -130, -20),
    (0x8cbccc096f5088cc, -103, -12),
    (0xd1b71758e219652c, -77, -4),
    (0x9c40000000000000, -50, 4),
    (0xe8d4a51000000000, -24, 12),
    (0xad78ebc5ac620000, 3, 20),
    (0x813f3978f8940984, 30, 28),
    (0xc097ce7bc90715b3, 56, 36),
    (0x8f7e32ce7bea5c70, 83, 44),
    (0xd5d238a4abe98068, 109, 52),
    (0x9f4f2726179a2245, 136, 60),
    (0xed63a231d4c4fb27, 162, 68),
    (0xb0de65388cc8ada8, 189, 76),
    (0x83c7088e1aab65db, 216, 84),
    (0xc45d1df942711d9a, 242, 92),
    (0x924d692ca61be758, 269, 100),
    (0xda01ee641a708dea, 295, 108),
    (0xa26da3999aef774a, 322, 116),
    (0xf209787bb47d6b85, 348, 124),
    (0xb454e4a179dd1877, 375, 132),
    (0x865b86925b9bc5c2, 402, 140),
    (0xc83553c5c8965d3d, 428, 148),
    (0x952ab45cfa97a0b3, 455, 156),
    (0xde469fbd99a05fe3, 481, 164),
    (0xa59bc234db398c25, 508, 172),
    (0xf6c69a72a3989f5c, 534, 180),
    (0xb7dcbf5354e9bece, 561, 188),
    (0x88fcf317f22241e2, 588, 196),
    (0xcc20ce9bd35c78a5, 614, 204),
    (0x98165af37b2153df, 641, 212),
    (0xe2a0b5dc971f303a, 667, 220),
    (0xa8d9d1535ce3b396, 694, 228),
    (0xfb9b7cd9a4a7443c, 720, 236),
    (0xbb764c4ca7a44410, 747, 244),
    (0x8bab8eefb6409c1a, 774, 252),
    (0xd01fef10a657842c, 800, 260),
    (0x9b10a4e5e9913129, 827, 268),
    (0xe7109bfba19c0c9d, 853, 276),
    (0xac2820d9623bf429, 880, 284),
    (0x80444b5e7aa7cf85, 907, 292),
    (0xbf21e44003acdd2d, 933, 300),
    (0x8e679c2f5e44ff8f, 960, 308),
    (0xd433179d9c8cb841, 986, 316),
    (0x9e19db92b4e31ba9, 1013, 324),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_those_of_the_json_library() {
        // By `builtins.toJSON` of Nix 2.34; the first two could be shorter.
        for (number, expected) in [
            (5597.965335e15, ("5597965335000001", 18)),
            (2411.915240e17, ("24119152399999998", 20)),
            (0.1, ("1", -1)),
            (1.0, ("1", 0)),
            (123456789.125, ("123456789125", 8)),
            (f64::MAX, ("17976931348623157", 308)),
            (5e-324, ("5", -324)),
        ] {
            assert_eq!(digits(number), (expected.0.to_owned(), expected.1));
        }
    }

    proptest! {
        #[test]
        fn digits_read_back_as_the_number(bits in 1_u64..0x7ff0_0000_0000_0000) {
            let number = f64::from_bits(bits);
            let (digits, exponent) = digits(number);
            let text = format!("{}.{}e{exponent}", &digits[..1], &digits[1..]);
            prop_assert_eq!(text.parse::<f64>().expect("a number"), number);
        }
    }
}
