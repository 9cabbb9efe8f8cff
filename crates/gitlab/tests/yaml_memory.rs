//! What hostile files cost before they are refused. A target of its own: the allocator counts for the whole process.

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::image_uses::{UsesRequest, image_uses};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::yaml::MAX_INPUT_BYTES;
use ecru_testkit::hostile;
// Counts what is allocated. Peak resident memory of a child process would also count the allocator's own moods.
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Room for the rest of a program remains below 64 MiB.
const MOST: usize = 56 * 1024 * 1024;

#[test]
fn hostile_files_end_in_an_error_or_a_pipeline_within_bounds() {
    let mut failures = Vec::new();
    for (name, text) in hostile::pipelines(MAX_INPUT_BYTES) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = Pipeline::parse(&text).map(|pipeline| {
            image_uses(&UsesRequest {
                pipeline: &pipeline,
                runner: None,
                predefined: &Predefined::default(),
                extra_variables: &[],
            })
        });
        let used = MEMORY.peak_usage().saturating_sub(before) + text.len();
        let said = match &result {
            Ok(uses) => format!("{} jobs, {:?}", uses.jobs.len(), uses.failed.last()),
            Err(error) => error.to_string(),
        };
        println!("{name}: {} KiB, {said}", used / 1024);
        if used > MOST {
            failures.push(format!("{name}: {} KiB", used / 1024));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
