"""One scoring at a time, of all questions that have arrived: it takes hardly longer for fifty than for one."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Told = TypeVar("Told")
GATHER_S = 0.002  # for what arrives together


@dataclass(slots=True)
class _Waiting(Generic[Asked, Told]):
    question: Asked
    answer: asyncio.Future[Told]


class Batches(Generic[Asked, Told]):
    """Answers questions in batches.

    Args:
        work: answers several questions, in their order.
        thread: where it works; one thread may serve several of these.
        most: questions in one batch. A few small batches overlap with the reading of what comes in meanwhile.
    """

    def __init__(
        self, work: Callable[[Sequence[Asked]], Sequence[Told]], thread: ThreadPoolExecutor, *, most: int
    ) -> None:
        self._work, self._thread, self._most = work, thread, most
        self._waiting: asyncio.Queue[_Waiting[Asked, Told]] = asyncio.Queue()

    async def ask(self, question: Asked) -> Told:
        """The answer, once its batch is done. Whoever gives up waiting costs nothing more."""
        waiting = _Waiting(question, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(waiting)
        return await waiting.answer

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(GATHER_S)
            while len(batch) < self._most and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            wanted = [one for one in batch if not one.answer.done()]
            if wanted:
                await self._answer(wanted)

    def mention(self, question: Asked) -> None:
        """Have a question answered whose answer nobody waits for."""
        waiting = _Waiting[Asked, Told](question, asyncio.get_running_loop().create_future())
        waiting.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        self._waiting.put_nowait(waiting)

    async def _answer(self, batch: list[_Waiting[Asked, Told]]) -> None:
        questions = [one.question for one in batch]
        try:
            told = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, questions)
        except Exception as error:  # noqa: BLE001  whatever a question breaks, the others are to be answered
            await self._one_by_one(batch, error)
            return
        for one, answer in zip(batch, told, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    async def _one_by_one(self, batch: list[_Waiting[Asked, Told]], error: Exception) -> None:
        if len(batch) > 1:
            for one in batch:
                await self._answer([one])
        elif not batch[0].answer.done():
            batch[0].answer.set_exception(error)
