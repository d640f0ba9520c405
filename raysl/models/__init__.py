"""Backbones, projectors, batch norm over the global batch."""

import warnings

# Of fvcore, which PyTorchVideo imports: no user can do anything about it.
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
