import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What is known of one case: its events, as far as its clocks need them, and which breaches time alone has made. */
final class Case {
    static final Serde<Case> SERDE = Serdes.serdeFrom((topic, one) -> one.bytes(), (topic, bytes) -> of(bytes));

    private static final int ID_BYTES = 16;

    String service, priority; // null: absent, or not opened yet
    long opened = Event.NONE, responded = Event.NONE, resolved = Event.NONE;
    boolean[] ripe = new boolean[Clock.ALL.length]; // by clock: its due and the grace have passed unanswered
    private byte[] ids = new byte[0]; // of its events, each ID_BYTES

    /** Whether the event is new to it; if so, it is taken in. What it says does not depend on the order. */
    boolean take(Event event, byte[] id) {
        for (int at = 0; at < ids.length; at += ID_BYTES) {
            if (Arrays.equals(ids, at, at + ID_BYTES, id, 0, ID_BYTES)) return false;
        }
        ids = Arrays.copyOf(ids, ids.length + ID_BYTES);
        System.arraycopy(id, 0, ids, ids.length - ID_BYTES, ID_BYTES);
        switch (event.kind) {
            case OPENED -> {
                if (opened == Event.NONE || event.time < opened) {
                    opened = event.time;
                    service = event.service;
                    priority = event.priority;
                }
            }
            case RESPONDED -> responded = earlier(responded, event.time);
            case RESOLVED -> resolved = earlier(resolved, event.time);
            case MEASURED -> throw new IllegalStateException("a measured event has no case");
        }
        return true;
    }

    private static long earlier(long known, long time) {
        return known == Event.NONE ? time : Math.min(known, time);
    }

    private byte[] bytes() {
        byte[] first = utf8(service), second = utf8(priority);
        ByteBuffer buffer = ByteBuffer.allocate(1 + 3 * 8 + 2 + first.length + second.length + ids.length);
        buffer.put((byte) ((ripe[0] ? 1 : 0) | (ripe[1] ? 2 : 0) | (service != null ? 4 : 0) | (priority != null ? 8 : 0)));
        buffer.putLong(opened).putLong(responded).putLong(resolved);
        buffer.put((byte) first.length).put(first).put((byte) second.length).put(second).put(ids);
        return buffer.array();
    }

    private static Case of(byte[] bytes) {
        if (bytes == null) return null;
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        Case one = new Case();
        int flags = buffer.get();
        one.ripe[0] = (flags & 1) != 0;
        one.ripe[1] = (flags & 2) != 0;
        one.opened = buffer.getLong();
        one.responded = buffer.getLong();
        one.resolved = buffer.getLong();
        String service = text(buffer), priority = text(buffer);
        if ((flags & 4) != 0) one.service = service;
        if ((flags & 8) != 0) one.priority = priority;
        one.ids = Arrays.copyOfRange(bytes, buffer.position(), bytes.length);
        return one;
    }

    private static byte[] utf8(String text) {
        return text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(ByteBuffer buffer) {
        int length = buffer.get();
        String text = new String(buffer.array(), buffer.position(), length, StandardCharsets.UTF_8);
        buffer.position(buffer.position() + length);
        return text;
    }
}
