//! A screenshot, as far as a test can look at one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The pixels of a PNG file.
pub(crate) struct Picture {
    width: u32,
    height: u32,
    /// How many pixels have each colour.
    pixels: BTreeMap<[u8; 3], u32>,
}

impl Picture {
    pub(crate) fn read(file: &Path) -> Self {
        let mut decoder = png::Decoder::new(BufReader::new(File::open(file).expect("a screenshot was made")));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("it is a PNG file");
        let mut bytes = vec![0; reader.output_buffer_size().expect("it fits the memory")];
        let frame = reader.next_frame(&mut bytes).expect("it is whole");
        let samples = frame.color_type.samples();
        assert!(samples >= 3, "a screenshot has colours");
        let mut pixels = BTreeMap::new();
        for pixel in bytes[..frame.buffer_size()].chunks_exact(samples) {
            *pixels.entry([pixel[0], pixel[1], pixel[2]]).or_insert(0) += 1;
        }
        Self { width: frame.width, height: frame.height, pixels }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn colours(&self) -> usize {
        self.pixels.len()
    }

    /// The part of it that is not of the most frequent colour, the ground.
    pub(crate) fn ink(&self) -> f64 {
        let ground = self.pixels.values().max().copied().unwrap_or_default();
        1.0 - f64::from(ground) / self.area()
    }

    /// From 0 for black to 1 for white.
    pub(crate) fn brightness(&self) -> f64 {
        let light = |colour: &[u8; 3]| colour.iter().copied().map(f64::from).sum::<f64>() / (3.0 * 255.0);
        let sum: f64 = self.pixels.iter().map(|(colour, count)| light(colour) * f64::from(*count)).sum();
        sum / self.area()
    }

    fn area(&self) -> f64 {
        f64::from(self.width) * f64::from(self.height)
    }
}
