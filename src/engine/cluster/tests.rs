//! Clusters in memory: peers joined by a pump, a virtual clock, and faults.
