//! annals-merkle
