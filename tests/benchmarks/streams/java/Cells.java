import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.streams.state.KeyValueStore;

/** (bucket, measure, bin, labels) to n and total, on the same grids as sqm's. */
final class Cells {
    enum Kind { MET, BREACHED, LATE, OPEN }

    static final int NO_BIN = Short.MIN_VALUE;
    static final int NO_BUCKET = -1;
    static final long BUCKET_MS = 10_000;

    private static final int FIRST_BIN = -320, LAST_BIN = 1_728, STEPS = 32, ORIGIN = 2_048;
    private static final long[] EDGES = edges();

    private record Series(String service, String priority) {}

    private final KeyValueStore<byte[], byte[]> store;
    private final Map<Series, byte[]> series = new HashMap<>(); // their part of a key

    Cells(KeyValueStore<byte[], byte[]> store) {
        this.store = store;
    }

    byte[] series(String service, String priority) {
        return series.computeIfAbsent(new Series(service, priority), s -> {
            String text = (s.service == null ? "" : s.service) + "\0" + (s.priority == null ? "" : s.priority);
            return text.getBytes(StandardCharsets.UTF_8);
        });
    }

    void count(Clock clock, Kind kind, long at, byte[] series, int sign) {
        add(bucket(at), clock, kind, NO_BIN, series, sign, 0);
    }

    void time(Clock clock, Kind kind, long at, long milliseconds, byte[] series, int sign) {
        add(bucket(at), clock, kind, bin(milliseconds), series, sign, sign * milliseconds);
    }

    private void add(int bucket, Clock clock, Kind kind, int bin, byte[] series, long n, long total) {
        int measure = clock.ordinal() * Kind.values().length + kind.ordinal();
        byte[] key = ByteBuffer.allocate(7 + series.length)
                .putInt(bucket).put((byte) measure).putShort((short) bin).put(series).array();
        byte[] known = store.get(key);
        ByteBuffer sum = ByteBuffer.allocate(16);
        if (known != null) {
            ByteBuffer old = ByteBuffer.wrap(known);
            n += old.getLong(0);
            total += old.getLong(8);
        }
        store.put(key, sum.putLong(n).putLong(total).array());
    }

    private static int bucket(long at) {
        return at == Event.NONE ? NO_BUCKET : (int) Math.floorDiv(at, BUCKET_MS);
    }

    /** The bin (b^(i-1), b^i] of seconds with b = 2^(1/32), as i + ORIGIN. */
    static int bin(long milliseconds) {
        if (milliseconds == 0) return 0;
        int low = 0, high = EDGES.length - 1; // the first edge that is not below the value; small bins share edges
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (EDGES[middle] < milliseconds) low = middle + 1;
            else high = middle;
        }
        return low + FIRST_BIN + ORIGIN;
    }

    /** floor(1000 * b^i) of every bin, by exact integers. */
    private static long[] edges() {
        BigInteger thousand = BigInteger.valueOf(1_000).pow(STEPS);
        long[] edges = new long[LAST_BIN - FIRST_BIN + 1];
        for (int i = FIRST_BIN; i <= LAST_BIN; i++) {
            BigInteger power = i >= 0 ? thousand.shiftLeft(i) : thousand.shiftRight(-i);
            for (int root = 0; root < 5; root++) power = power.sqrt();
            edges[i - FIRST_BIN] = power.bitLength() > 63 ? Long.MAX_VALUE : power.longValue();
        }
        return edges;
    }
}
