//! Comparing trees and finding causes of irreproducibility.
