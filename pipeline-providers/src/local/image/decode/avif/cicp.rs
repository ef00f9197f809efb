//! What the numbers of pixels mean (ITU-T H.273): the light of their colours, and how red, green and blue become
//! brightness and colour.

use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};
use pipeline_core::error::Result;

use super::boxes::Fields;
use super::unusual;

/// The transfer characteristics of sRGB.
const SRGB: u8 = 13;

/// Codes of H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cicp {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
    pub(super) matrix: u8,
    /// Numbers reach from 0 to the largest; else there is room below black and above white.
    pub(super) full_range: bool,
}

/// How brightness and colour become red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mixture {
    /// They are green, blue and red.
    Identity,
    /// The parts of red and of blue in the brightness.
    Weights(f64, f64),
}

impl Cicp {
    /// Reads the values of a `colr` box of the kind `nclx`.
    pub(super) fn read(values: &[u8]) -> Option<Self> {
        let mut fields = Fields(values);
        let mut code = || fields.number(2).map(|code| u8::try_from(code).unwrap_or(0));
        let (primaries, transfer, matrix) = (code()?, code()?, code()?);
        Some(Self { primaries, transfer, matrix, full_range: fields.number(1)? >> 7 == 1 })
    }

    /// Returns how to get red, green and blue; what is not said is BT.601, as other readers take it.
    pub(super) fn mixture(self) -> Result<Mixture> {
        Ok(match self.matrix {
            0 => Mixture::Identity,
            1 => Mixture::Weights(0.2126, 0.0722),
            2 | 5 | 6 => Mixture::Weights(0.299, 0.114),
            4 => Mixture::Weights(0.30, 0.11),
            7 => Mixture::Weights(0.212, 0.087),
            9 => Mixture::Weights(0.2627, 0.0593),
            other => return Err(unusual(&format!("matrix coefficients {other}"))),
        })
    }

    /// The colour profile that says the same; `None` for sRGB, and for what differs from it only in how cameras and
    /// screens divide the work between them.
    pub(super) fn profile(self) -> Result<Option<Vec<u8>>> {
        let transfer = match self.transfer {
            4 | 5 | 8 => self.transfer,
            16 | 18 => return Err(unusual("a picture with high dynamic range")),
            _ => SRGB,
        };
        if matches!(self.primaries, 1 | 2) && transfer == SRGB {
            return Ok(None);
        }
        let primaries = match self.primaries {
            2 => Some(CicpColorPrimaries::Bt709),
            code => CicpColorPrimaries::try_from(code).ok().filter(|found| *found != CicpColorPrimaries::Reserved),
        };
        let Some((color_primaries, transfer_characteristics)) =
            primaries.zip(TransferCharacteristics::try_from(transfer).ok())
        else {
            return Ok(None);
        };
        let profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries,
            transfer_characteristics,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        Ok(profile.encode().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::profile::Profile;
    use super::*;

    fn profile(primaries: u8, transfer: u8) -> Result<Option<Vec<u8>>> {
        Cicp { primaries, transfer, matrix: 6, full_range: true }.profile()
    }

    #[test]
    fn colours_of_an_avif_beside_srgb_have_a_profile_and_bright_ones_are_refused() {
        for (primaries, transfer) in [(1, 13), (2, 2), (1, 1), (2, 6)] {
            assert_eq!(profile(primaries, transfer).unwrap(), None, "{primaries} {transfer}");
        }
        for (primaries, transfer) in [(12, 13), (9, 14), (1, 8), (1, 4)] {
            let bytes = profile(primaries, transfer).unwrap().unwrap();
            assert!(!Profile::parse(&bytes).unwrap().is_srgb(), "{primaries} {transfer}");
        }
        for transfer in [16, 18] {
            assert!(profile(9, transfer).unwrap_err().to_string().contains("high dynamic range"));
        }
    }

    #[test]
    fn values_of_an_avif_that_are_cut_off_or_unknown_are_noticed() {
        let read = Cicp::read(&[0, 12, 0, 13, 0, 6, 0x80]).unwrap();
        assert_eq!(read, Cicp { primaries: 12, transfer: 13, matrix: 6, full_range: true });
        assert_eq!(Cicp::read(&[0, 12, 0, 13, 0, 6]), None);
        assert!(Cicp { matrix: 14, ..read }.mixture().is_err());
    }
}
