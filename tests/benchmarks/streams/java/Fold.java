import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hasher128;
import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** Events into cells: deduplicated, judged, added up; what was added before is taken back by new - old. */
final class Fold implements Processor<byte[], Event, byte[], byte[]> {
    private static final Hasher128 HASH = Hashing.murmur3_128();
    private static final Duration DEDUP = Duration.ofHours(48);
    private static final long GRACE_MS = 30_000;

    /** A running clock, by when its breach ripens. */
    private record Wake(long at, String subject, Clock clock) {}

    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], Long> ids;
    private KeyValueStore<String, Case> cases;
    private Cells cells;
    private final TreeSet<Wake> wakes = new TreeSet<>(
            Comparator.comparingLong(Wake::at).thenComparing(Wake::subject).thenComparing(Wake::clock));
    private RecordMetadata newest; // of the newest record processed

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        ids = context.getStateStore(Opponent.IDS);
        cases = context.getStateStore(Opponent.CASES);
        cells = new Cells(context.getStateStore(Opponent.CELLS));
        try (KeyValueIterator<String, Case> all = cases.all()) {
            all.forEachRemaining(entry -> {
                for (Verdict verdict : Verdict.of(entry.value)) {
                    if (verdict.outcome() == Verdict.Outcome.OPEN) wakes.add(wake(entry.key, verdict));
                }
            });
        }
        context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, this::ripen);
        context.schedule(Duration.ofHours(1), PunctuationType.WALL_CLOCK_TIME, this::forget);
    }

    @Override
    public void process(Record<byte[], Event> record) {
        Event event = record.value();
        newest = context.recordMetadata().orElseThrow();
        if (event.refusal != null) {
            Record<byte[], byte[]> refused = record.withValue(event.raw);
            refused.headers().add("reason", event.refusal.getBytes(StandardCharsets.UTF_8));
            context.forward(refused, Opponent.REJECTED);
        } else if (event.kind == Event.Kind.MEASURED) {
            measured(event);
        } else {
            lived(event);
        }
    }

    private void measured(Event event) {
        if (ids.putIfAbsent(idOf(event), event.time) != null) return;
        byte[] series = cells.series(event.service, event.priority);
        for (Clock clock : Clock.ALL) {
            long took = clock.reported(event);
            if (took == Event.NONE) continue;
            if (took <= clock.target(event.priority)) {
                cells.time(clock, Cells.Kind.MET, event.time, took, series, 1);
            } else {
                cells.count(clock, Cells.Kind.BREACHED, event.time, series, 1);
                cells.time(clock, Cells.Kind.LATE, event.time, took, series, 1);
            }
        }
    }

    private void lived(Event event) {
        Case one = cases.get(event.subject);
        if (one == null) one = new Case();
        List<Verdict> old = Verdict.of(one);
        if (!one.take(event, idOf(event))) return;
        emit(event.subject, one, old);
    }

    private void emit(String subject, Case one, List<Verdict> old) {
        List<Verdict> now = Verdict.of(one);
        for (Verdict verdict : old) {
            if (now.contains(verdict)) continue;
            add(verdict, -1);
            if (verdict.outcome() == Verdict.Outcome.OPEN) wakes.remove(wake(subject, verdict));
        }
        for (Verdict verdict : now) {
            if (old.contains(verdict)) continue;
            add(verdict, 1);
            if (verdict.outcome() == Verdict.Outcome.OPEN) wakes.add(wake(subject, verdict));
            tell(subject, verdict, before(old, verdict.clock()));
        }
        cases.put(subject, one);
    }

    private static Verdict before(List<Verdict> old, Clock clock) {
        for (Verdict verdict : old) if (verdict.clock() == clock) return verdict;
        return null;
    }

    private void add(Verdict verdict, int sign) {
        byte[] series = cells.series(verdict.service(), verdict.priority());
        switch (verdict.outcome()) {
            case OPEN -> cells.count(verdict.clock(), Cells.Kind.OPEN, Event.NONE, series, sign);
            case MET -> cells.time(
                    verdict.clock(), Cells.Kind.MET, verdict.stopped(), verdict.elapsed(), series, sign);
            case BREACHED -> {
                cells.count(verdict.clock(), Cells.Kind.BREACHED, verdict.due(), series, sign);
                if (verdict.stopped() != Event.NONE) {
                    cells.time(verdict.clock(), Cells.Kind.LATE, verdict.stopped(), verdict.elapsed(), series, sign);
                }
            }
        }
    }

    private void tell(String subject, Verdict verdict, Verdict before) {
        Verdict.Outcome old = before == null ? null : before.outcome();
        boolean breach = verdict.outcome() == Verdict.Outcome.BREACHED;
        boolean corrected = old == Verdict.Outcome.BREACHED && !breach;
        if (breach && old != Verdict.Outcome.BREACHED || corrected) {
            String change = corrected ? "corrected" : "breached";
            byte[] message = verdict.message(subject, change, old, context.currentStreamTimeMs());
            byte[] key = subject.getBytes(StandardCharsets.UTF_8);
            context.forward(new Record<>(key, message, context.currentSystemTimeMs()), Opponent.VERDICTS);
        }
    }

    // --- time ---

    private static Wake wake(String subject, Verdict verdict) {
        return new Wake(verdict.due() + GRACE_MS, subject, verdict.clock());
    }

    /** Breaches of clocks that nothing stopped. While there are records to read, it is as late as the newest says. */
    private void ripen(long wall) {
        if (newest == null) return;
        TopicPartition where = new TopicPartition(newest.topic(), newest.partition());
        long now = Clients.caughtUp(where, newest.offset()) ? wall : context.currentStreamTimeMs();
        while (!wakes.isEmpty() && wakes.first().at() < now) {
            Wake wake = wakes.pollFirst();
            Case one = cases.get(wake.subject());
            List<Verdict> old = Verdict.of(one);
            one.ripe[wake.clock().ordinal()] = true;
            emit(wake.subject(), one, old);
        }
    }

    private void forget(long wall) {
        List<byte[]> old = new ArrayList<>();
        try (KeyValueIterator<byte[], Long> all = ids.all()) {
            while (all.hasNext()) {
                KeyValue<byte[], Long> entry = all.next();
                if (entry.value < wall - DEDUP.toMillis()) old.add(entry.key);
            }
        }
        old.forEach(ids::delete);
    }

    private static byte[] idOf(Event event) {
        HashValue128 hash = HASH.hashCharsTo128Bits(event.source + '\0' + event.id);
        return hash.toByteArray();
    }
}
