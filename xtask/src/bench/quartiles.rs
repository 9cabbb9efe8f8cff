//! The middle of many measurements.

/// The three values that cut sorted measurements into quarters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::bench) struct Quartiles {
    pub(in crate::bench) lower: f64,
    pub(in crate::bench) median: f64,
    pub(in crate::bench) upper: f64,
}

impl Quartiles {
    /// Those of `values`, in any order; between two measurements it interpolates linearly (method 7 of Hyndman and
    /// Fan, "Sample Quantiles in Statistical Packages", 1996). None without a measurement, or if one is no number.
    pub(in crate::bench) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let position = share * (sorted.len() - 1) as f64;
            let below = sorted[position.floor() as usize];
            let above = sorted[position.ceil() as usize];
            below + (above - below) * position.fract()
        };
        Some(Self { lower: at(0.25), median: at(0.5), upper: at(0.75) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_samples() {
        let of = |values: &[f64]| Quartiles::of(values).map(|it| (it.lower, it.median, it.upper));
        assert_eq!(of(&[7.0]), Some((7.0, 7.0, 7.0)));
        assert_eq!(of(&[2.0, 1.0]), Some((1.25, 1.5, 1.75)));
        assert_eq!(of(&[5.0, 3.0, 1.0, 4.0, 2.0]), Some((2.0, 3.0, 4.0)));
        assert_eq!(of(&[1.0, 2.0, 3.0, 1000.0]), Some((1.75, 2.5, 252.25)));
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(Quartiles::of(&[]), None);
        assert_eq!(Quartiles::of(&[1.0, f64::NAN]), None);
    }
}
