// Package layertar turns the tar of one image layer into a directory and back.
//
// A tar comes from anybody. [Unpack] writes it so that nothing outside of the directory can be reached, whatever its names and
// links say, and in the form overlayfs takes as a lower directory: what the tar calls deleted becomes a character device 0:0,
// a directory that replaces one below carries the overlay's opaque mark, owners and modes are those of the tar. Devices are
// refused, sizes and counts have limits.
//
// It knows nothing of images, digests or where layers are kept.
package layertar
