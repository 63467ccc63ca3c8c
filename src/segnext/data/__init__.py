"""Files on disk to images, masks and training samples."""

from segnext.data.folder import Folder, FolderDataset, open_folder
from segnext.data.headers import ImageHeader, image_header
from segnext.data.images import IMAGE_SUFFIXES, read_image
from segnext.data.pairing import Item

__all__ = [
    "IMAGE_SUFFIXES",
    "Folder",
    "FolderDataset",
    "ImageHeader",
    "Item",
    "image_header",
    "open_folder",
    "read_image",
]
