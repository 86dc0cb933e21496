//! annals-event
