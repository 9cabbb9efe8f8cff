//! The progress of a pull or push, added up over the layers of an image.

use std::collections::BTreeMap;

use bollard::models::CreateImageInfo;

/// The most layers that are followed. Docker's own limit is 127; more can come only from a broken engine.
const LAYER_LIMIT: usize = 1024;

/// How far the transfer of one image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferProgress {
    /// The bytes transferred so far, compressed as they travel.
    pub bytes: u64,
    /// The bytes to transfer, as far as the engine knows yet: it learns of layers one by one.
    pub total: u64,
}

/// One message of the engine about one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LayerUpdate<'a> {
    Moving { layer: &'a str, progress: TransferProgress },
    Done { layer: &'a str },
}

impl<'a> LayerUpdate<'a> {
    /// Returns what `message` says of a layer's transfer, if anything. Checking and unpacking are not transfer.
    pub(crate) fn of(message: &'a CreateImageInfo) -> Option<Self> {
        let layer = message.id.as_deref()?;
        match message.status.as_deref()? {
            "Downloading" | "Pushing" => {
                let detail = message.progress_detail.as_ref()?;
                let bytes = u64::try_from(detail.current?).ok()?;
                let total = detail.total.and_then(|total| u64::try_from(total).ok()).unwrap_or(bytes);
                Some(Self::Moving { layer, progress: TransferProgress { bytes, total: total.max(bytes) } })
            }
            "Download complete" | "Pull complete" | "Pushed" => Some(Self::Done { layer }),
            _ => None,
        }
    }
}

/// The layers of one transfer.
#[derive(Debug, Default)]
pub(crate) struct LayerProgress(BTreeMap<String, TransferProgress>);

impl LayerProgress {
    /// Takes in one message and returns the new sum over all layers, or `None` if nothing changed.
    pub(crate) fn apply(&mut self, update: LayerUpdate<'_>) -> Option<TransferProgress> {
        match update {
            LayerUpdate::Moving { layer, progress } => {
                if self.0.len() >= LAYER_LIMIT && !self.0.contains_key(layer) {
                    return None;
                }
                if self.0.insert(layer.to_owned(), progress) == Some(progress) {
                    return None;
                }
            }
            LayerUpdate::Done { layer } => {
                let progress = self.0.get_mut(layer)?;
                if progress.bytes == progress.total {
                    return None;
                }
                progress.bytes = progress.total;
            }
        }
        Some(self.sum())
    }

    fn sum(&self) -> TransferProgress {
        self.0.values().fold(TransferProgress::default(), |sum, layer| TransferProgress {
            bytes: sum.bytes.saturating_add(layer.bytes),
            total: sum.total.saturating_add(layer.total),
        })
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn message(layer: &str, status: &str, current: Option<i64>, total: Option<i64>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(layer.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current, total }),
            error_detail: None,
        }
    }

    fn apply(layers: &mut LayerProgress, message: &CreateImageInfo) -> Option<(u64, u64)> {
        let sum = layers.apply(LayerUpdate::of(message)?)?;
        Some((sum.bytes, sum.total))
    }

    #[test]
    fn layers_add_up() {
        let mut layers = LayerProgress::default();
        assert_eq!(apply(&mut layers, &message("a", "Downloading", Some(10), Some(100))), Some((10, 100)));
        assert_eq!(apply(&mut layers, &message("b", "Downloading", Some(5), Some(50))), Some((15, 150)));
        assert_eq!(apply(&mut layers, &message("a", "Download complete", None, None)), Some((105, 150)));
        assert_eq!(apply(&mut layers, &message("a", "Extracting", Some(1), Some(100))), None);
        assert_eq!(apply(&mut layers, &message("a", "Pull complete", None, None)), None);
        assert_eq!(apply(&mut layers, &message("b", "Downloading", Some(5), Some(50))), None);
    }

    #[test]
    fn odd_numbers_are_survived() {
        let mut layers = LayerProgress::default();
        assert_eq!(apply(&mut layers, &message("a", "Downloading", Some(-1), Some(1))), None);
        assert_eq!(apply(&mut layers, &message("a", "Downloading", Some(7), None)), Some((7, 7)));
        assert_eq!(apply(&mut layers, &message("a", "Downloading", Some(9), Some(8))), Some((9, 9)));
        assert_eq!(
            apply(&mut layers, &message("b", "Downloading", Some(i64::MAX), Some(i64::MAX))).unwrap().0,
            { i64::MAX as u64 + 9 }
        );
    }

    #[test]
    fn the_number_of_layers_is_limited() {
        let mut layers = LayerProgress::default();
        for layer in 0..LAYER_LIMIT + 10 {
            apply(&mut layers, &message(&layer.to_string(), "Downloading", Some(1), Some(1)));
        }
        assert_eq!(layers.sum(), TransferProgress { bytes: LAYER_LIMIT as u64, total: LAYER_LIMIT as u64 });
    }
}
