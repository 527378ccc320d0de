"""The shell around ONNX Runtime: sessions, engines and what is stepped. Nothing else imports onnxruntime."""

from harness.runtime.engine import Engine, check_memory
from harness.runtime.exactness import exact_byte
from harness.runtime.session import Session, open_session
from harness.runtime.stepper import DecodeStepper, PrefillStepper

Stepper = PrefillStepper | DecodeStepper

__all__ = [
    "DecodeStepper",
    "Engine",
    "PrefillStepper",
    "Session",
    "Stepper",
    "check_memory",
    "exact_byte",
    "open_session",
]
