//! annals-store
