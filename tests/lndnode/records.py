"""lnd's control tower: its one record of each payment hash, under the rules and in the words of either store."""

FAILED, IN_FLIGHT, SUCCEEDED, INITIATED = "FAILED", "IN_FLIGHT", "SUCCEEDED", "INITIATED"
NO_REASON, ERROR, NO_ROUTE = "FAILURE_REASON_NONE", "FAILURE_REASON_ERROR", "FAILURE_REASON_NO_ROUTE"
WRONG_DETAILS = "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"
BLOCK = 1000  # lnd reserves this many numbers at once; the unused ones are lost at a restart


class Refused(Exception):
    """The error of a call: HTTP status, gRPC code, lnd's message."""

    def __init__(self, message, code=2, status=500):
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


class Attempt:
    def __init__(self, number, route, at):
        self.id, self.route, self.created, self.resolved = number, route, at, 0
        self.status, self.failure, self.preimage = IN_FLIGHT, None, b""
        self.htlc = None


class Payment:
    def __init__(self, payment_hash, value, at, request="", first_hop=None):
        self.hash, self.value, self.created, self.request, self.first_hop = payment_hash, value, at, request, first_hop or {}
        self.index, self.attempts, self.reason = 0, [], NO_REASON

    def having(self, status):
        return [attempt for attempt in self.attempts if attempt.status == status]

    def out(self):
        """How much has settled or may still settle."""
        return sum(attempt.route.delivered for attempt in self.attempts if attempt.status != FAILED)

    @property
    def status(self):
        if self.having(IN_FLIGHT):
            return IN_FLIGHT
        if self.having(SUCCEEDED):
            return SUCCEEDED
        if self.reason != NO_REASON:
            return FAILED
        return IN_FLIGHT if self.attempts else INITIATED

    def ended(self):
        return self.status in (FAILED, SUCCEEDED)

    def preimage(self):
        return next((attempt.preimage for attempt in self.having(SUCCEEDED)), bytes(32))

    def fee(self):
        """The fee, which lnd shows only after success."""
        return sum(attempt.route.fees() for attempt in self.having(SUCCEEDED)) if self.status == SUCCEEDED else 0


class Tower:
    def __init__(self, store):
        self.store, self.payments = store, {}
        self.next_index = self.next_attempt = 1
        self.listeners = set()

    # --- numbers ---

    def restart(self):
        """Loses the rest of the reserved numbers: attempt 50 is followed by 1000, index 61 by 1001."""
        self.next_attempt = ((self.next_attempt - 1) // BLOCK + 1) * BLOCK
        self.next_index = ((self.next_index - 2) // BLOCK + 1) * BLOCK + 1
        self.listeners.clear()

    def attempt_number(self):
        self.next_attempt += 1
        return self.next_attempt - 1

    def take_index(self):
        self.next_index += 1
        return self.next_index - 1

    # --- words ---

    def initializing(self, text):
        return Refused(("failed to initialize payment: payment is not initializable: " if self.store == "sql" else "") + text, 6, 409)

    def registering(self, text, part="failed to verify attempt: "):
        return Refused((f"failed to register attempt: {part}" if self.store == "sql" else "") + text)

    def undeletable(self, payment):
        name = payment.hash.hex()
        if self.store == "sql":
            return Refused(f"failed to delete failed attempts for payment {name}: payment {name} cannot be deleted: payment is in transition")
        return Refused(f"payment '{name}' has inflight HTLCsand therefore cannot be deleted: payment is in transition")

    # --- writes ---

    def changed(self, payment):
        for listener in list(self.listeners):
            listener(payment)

    def init(self, payment, joins=False):
        """Makes a record. With `joins`, uses an unfinished one of the hash, even another user's."""
        index = self.take_index() if self.store != "sql" else 0
        there = self.payments.get(payment.hash)
        if there and there.status != FAILED:
            if joins and there.status != SUCCEEDED:
                return there
            words = {INITIATED: "payment already exists", IN_FLIGHT: "payment is in transition", SUCCEEDED: "invoice is already paid"}
            raise self.initializing(words[there.status])
        self.payments.pop(payment.hash, None)  # the old record and its attempts are gone
        payment.index = index or max((one.index for one in self.payments.values()), default=0) + 1
        self.payments[payment.hash] = payment
        self.changed(payment)
        return payment

    def register(self, payment_hash, attempt):
        payment = self.payments.get(payment_hash)
        if not payment:
            raise Refused("payment isn't initiated")
        self.registrable(payment)
        self.verify(payment, attempt.route)
        payment.attempts.append(attempt)
        self.changed(payment)

    def registrable(self, payment):
        part = "htlc attempt not registrable: "
        if payment.status == SUCCEEDED:
            raise self.registering("payment has already succeeded", part)
        if payment.status == FAILED:
            raise self.registering("payment has already failed", part)
        if payment.having(SUCCEEDED):
            raise self.registering("payment has settled htlcs", part)
        if payment.reason != NO_REASON:
            raise self.registering("payment has failure reason", part)

    def verify(self, payment, route):
        for other in payment.having(IN_FLIGHT):
            mine, its = route.mpp(), other.route.mpp()
            if bool(mine) != bool(its):
                raise self.registering("non-MPP payment" if its is None else "cannot register non-MPP attempt for MPP payment")
            if mine and mine[0] != its[0]:
                raise self.registering("payment address mismatch")
            if mine and mine[1] != its[1]:
                raise self.registering("mp payment total amount mismatch")
        if not route.mpp() and route.delivered != payment.value:
            raise self.registering("attempted value doesn't match payment amount")
        together = payment.out() + route.delivered
        if together > payment.value:
            raise self.registering(f"attempted value exceeds payment amount: attempted={together} mSAT, payment amount={payment.value} mSAT")

    def settle(self, payment, attempt, preimage, at):
        attempt.status, attempt.preimage, attempt.resolved = SUCCEEDED, preimage, at
        self.changed(payment)

    def fail_attempt(self, payment, attempt, failure, at):
        attempt.status, attempt.failure, attempt.resolved = FAILED, failure, at
        self.changed(payment)

    def fail(self, payment, reason):
        payment.reason = reason
        self.changed(payment)

    @staticmethod
    def erase_failed(payment):
        payment.attempts = [attempt for attempt in payment.attempts if attempt.status != FAILED]

    # --- deletion by any user ---

    def delete(self, payment_hash, failed_only=False):
        payment = self.payments.get(payment_hash)
        if not payment:
            raise Refused("non bucket element in payments bucket")
        if not payment.ended():
            raise self.undeletable(payment)
        if failed_only:
            self.erase_failed(payment)
        else:
            del self.payments[payment_hash]

    def delete_many(self, failed_payments, failed_attempts):
        """Deletes ended payments; open ones always stay."""
        gone = [payment for payment in self.payments.values()
                if payment.ended() and not (failed_payments and payment.status == SUCCEEDED)]
        for payment in gone:
            self.delete(payment.hash, failed_attempts)
        return len(gone)

    # --- reading ---

    def find(self, payment_hash):
        payment = self.payments.get(payment_hash)
        if not payment:
            raise Refused("payment isn't initiated", 5, 404)
        return payment

    def page(self, offset, most, backwards, incomplete):
        rows = sorted((one for one in self.payments.values() if incomplete or one.status == SUCCEEDED), key=lambda one: one.index)
        if not backwards:
            return [one for one in rows if one.index > offset][:most]
        return [one for one in rows if not offset or one.index < offset][-most:]
