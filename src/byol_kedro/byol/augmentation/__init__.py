"""Random views of images, as BYOL draws them."""
