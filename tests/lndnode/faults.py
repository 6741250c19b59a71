"""What goes wrong on demand: at which request, at which moment of it, and how."""

import asyncio

MOMENTS = ("received", "accepted", "initiated", "registered", "circuit", "sent", "resolved", "attempt_failed", "recorded")
WITHOUT_WORK = ("drop", "frozen")
OF_THE_ANSWER = ("late", "lost", "cut", "garbage", "big", "slow", "status")
AT_A_MOMENT = ("pause", "kill", "stop")


class Fault:
    """One fault. `nth`: it strikes at the nth matching request after it was armed."""

    def __init__(self, number, given):
        self.number, self.given, self.seen, self.met = number, given, 0, 0
        self.do, self.moment = given["do"], given.get("moment", "received")
        self.path, self.method = given.get("path", "/"), given.get("method")
        self.nth, self.times = given.get("nth", 1), given.get("times", 1)
        self.released, self.waiting = asyncio.Event(), 0
        if self.do not in WITHOUT_WORK + OF_THE_ANSWER + AT_A_MOMENT or self.moment not in MOMENTS:
            raise ValueError(f"no such fault: {given}")

    def meets(self, call):
        if not call.is_at(self.path) or self.method not in (None, call.method):
            return False
        if self.given.get("hash") and self.given["hash"] != call.hash_named():
            return False
        if "fence" in self.given and self.given["fence"] != call.is_fence():
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.met += 1
        return True

    def shown(self):
        return {"fault": self.number, "seen": self.seen, "met": self.met, "waiting": self.waiting, **self.given}


class Faults:
    """All armed faults. `restart`: ends this run of lnd ("kill" or "stop") and starts the next one as the fault says."""

    def __init__(self, restart):
        self.armed, self.restart, self.count = [], restart, 0

    def arm(self, given):
        self.count += 1
        self.armed.append(Fault(self.count, given))
        return self.count

    def disarm(self, number=None):
        for fault in self.armed:
            if number in (None, fault.number):
                fault.released.set()
        self.armed = [fault for fault in self.armed if number not in (None, fault.number)]

    def meet(self, call):
        call.faults = [fault for fault in self.armed if fault.meets(call)]

    def release(self, number=None):
        for fault in self.armed:
            if number in (None, fault.number):
                fault.released.set()

    async def at(self, call, moment):
        if call is None:
            return
        call.reached = moment
        for fault in call.faults:
            if fault.do in AT_A_MOMENT and fault.moment == moment:
                await self.happen(fault)

    async def happen(self, fault):
        fault.waiting += 1
        if fault.do != "pause":
            self.restart(fault.do, fault.given)
            if fault.do == "kill":
                await asyncio.get_running_loop().create_future()  # this run of lnd is over
            return
        seconds = fault.given.get("seconds")
        try:
            await asyncio.wait_for(fault.released.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        fault.waiting -= 1

    @staticmethod
    def of(call, kinds):
        return next((fault for fault in call.faults if fault.do in kinds), None)
