//! Runnable programs that embed the pipeline; see the files beside this one. `pipelines/` holds pipeline files.
