"""From a video to named views: placement in time, augmentation, batches."""
