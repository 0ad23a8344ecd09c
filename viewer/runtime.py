"""Runs a graph, within limits of time and memory. The only module that knows onnxruntime."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Protocol

import onnxruntime
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from viewer.graph.limits import allowed_memory, finish, run_seconds

_LARGEST_FOLDED: Final = 2**30  # bytes of a constant that onnxruntime may compute while it opens a file


class Call(Protocol):
    """A run: with ``terminate`` set it ends at its next operator."""

    terminate: bool


def new_call() -> Call:
    """One for ``Runtime``."""
    call: Call = onnxruntime.RunOptions()
    return call


class Runtime:
    """A graph that can be run. ``run`` may be called from any one thread at a time."""

    def __init__(
        self, data: bytes, threads: int, many_sizes: bool, opening: Call, error: Callable[[str], UserError]
    ) -> None:
        """Of the bytes of an ONNX file. ``threads``: cores that one run may use. ``many_sizes``: images of many sizes
        will go through it: no memory is planned, and kept, for each. ``opening``: for all runs until ``opened``, which
        the caller limits. ``error``: makes an error that names the file. Raises such errors."""
        self._error = error
        self._opening: Call | None = opening
        self._overdue: Call | None = None  # a run that was called off and has not ended
        self._session = _open(data, threads, many_sizes, error)
        self.inputs: Sequence[Any] = self._session.get_inputs()  # with name, type and shape each
        self.outputs: Sequence[Any] = self._session.get_outputs()
        self.properties: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def opened(self) -> None:
        """End the inspection: from now on each run has a time of its own."""
        self._opening = None

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str, kind: str) -> NDArray[Any]:
        """An output of some inputs, both by their names. ``kind``: of the model, which says how long it may take.
        Raises ``UserError``."""
        try:
            if self._opening is not None:
                return self._result(feeds, output, self._opening)
            if self._overdue is not None:
                raise self._error("is still at work on a run that was called off")
            call = new_call()
            try:
                return finish(
                    lambda: self._result(feeds, output, call), run_seconds(kind), lambda: self._call_off(call)
                )
            except TimeoutError as error:
                raise self._error(f"one run {error}") from None
        except UserError:
            raise
        except Exception as error:  # onnxruntime raises many kinds
            from viewer.graph.reasons import reason  # for messages alone

            raise self._error(f"cannot be run: {reason(error)}") from None

    def _result(self, feeds: Mapping[str, NDArray[Any]], output: str, call: Call) -> NDArray[Any]:
        try:
            result: NDArray[Any] = self._session.run([output], dict(feeds), call)[0]
        finally:
            if self._overdue is call:
                self._overdue = None
        return result

    def _call_off(self, call: Call) -> None:
        """Have a run end at its next operator, and until then begin no other."""
        self._overdue = call
        call.terminate = True


def _open(
    data: bytes, threads: int, many_sizes: bool, error_of: Callable[[str], UserError]
) -> onnxruntime.InferenceSession:
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(threads, 1)
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = not many_sizes
    options.log_severity_level = 4  # errors come as exceptions; nothing else is shown
    settings = {
        "session.intra_op.allow_spinning": "0",  # waiting costs no core
        "session.inter_op.allow_spinning": "0",
        "session.load_model_format": "ONNX",  # not onnxruntime's own, which was not screened
        "session.use_env_allocators": "1",  # the one of _bound_memory
        "optimization.constant_folding_max_output_size_in_bytes": str(min(_LARGEST_FOLDED, allowed_memory() // 4)),
    }
    for name, value in settings.items():
        options.add_session_config_entry(name, value)
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        from viewer.graph.reasons import reason  # for messages alone

        raise error_of(f"cannot be opened: {reason(error)}") from None


@cache
def _bound_memory() -> None:
    """Let all models together take as much memory as is allowed, and no more; set once for the process."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    usual = -1  # of how it grows
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(allowed_memory(), usual, usual, usual))
