import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.OffsetDateTime;

/** One CloudEvent, or what could not be read as one, with the reason. */
final class Event {
    enum Kind { MEASURED, OPENED, RESPONDED, RESOLVED }

    static final long NONE = Long.MIN_VALUE;

    private static final JsonFactory JSON =
            JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();
    private static final long FUTURE_MS = 5 * 60_000; // by how much another's clock may go before ours

    Kind kind;
    String id, source, subject;
    String service, priority; // null: absent
    long time = NONE; // milliseconds since 1970
    long responseMs = NONE, resolutionMs = NONE;
    String refusal; // null: it is in order
    byte[] raw; // of what is refused

    /** When it happened; of what is refused, the time that the partition has anyway. */
    long time(long partition) {
        return refusal == null ? time : Math.max(partition, 0);
    }

    /** Never throws: what is refused says why. */
    static Event read(byte[] raw) {
        Event event = new Event();
        try (JsonParser parser = JSON.createParser(raw)) {
            event.read(parser);
            event.refusal = event.fault();
        } catch (IOException | DateTimeException error) {
            event.refusal = "damaged: " + error.getMessage();
        }
        if (event.refusal != null) event.raw = raw;
        return event;
    }

    private void read(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("no JSON object");
        String version = null;
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            switch (name) {
                case "specversion" -> version = parser.nextTextValue();
                case "id" -> id = parser.nextTextValue();
                case "source" -> source = parser.nextTextValue();
                case "subject" -> subject = parser.nextTextValue();
                case "type" -> kind = kind(parser.nextTextValue());
                case "time" -> time = instant(parser.nextTextValue());
                case "data" -> readData(parser);
                default -> {
                    parser.nextToken();
                    parser.skipChildren();
                }
            }
        }
        if (!"1.0".equals(version)) throw new IOException("specversion is not 1.0");
    }

    private void readData(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("data is no JSON object");
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            switch (name) {
                case "service" -> service = text(parser, token);
                case "priority" -> priority = text(parser, token);
                case "response_time_s" -> responseMs = milliseconds(parser, token);
                case "resolution_time_s" -> resolutionMs = milliseconds(parser, token);
                default -> parser.skipChildren();
            }
        }
    }

    private static String text(JsonParser parser, JsonToken token) throws IOException {
        if (token != JsonToken.VALUE_STRING) throw new IOException("a label is no text");
        return parser.getText();
    }

    private static long milliseconds(JsonParser parser, JsonToken token) throws IOException {
        if (!token.isNumeric()) throw new IOException("a time is no number");
        double seconds = parser.getDoubleValue();
        if (!(seconds >= 0 && seconds < 1e9)) throw new IOException("a time is out of bounds");
        return Math.round(seconds * 1e6) / 1_000;
    }

    private static Kind kind(String type) throws IOException {
        if (type == null) throw new IOException("type is no text");
        return switch (type) {
            case "interaction.measured" -> Kind.MEASURED;
            case "interaction.opened" -> Kind.OPENED;
            case "interaction.responded" -> Kind.RESPONDED;
            case "interaction.resolved" -> Kind.RESOLVED;
            default -> throw new IOException("unknown type " + type);
        };
    }

    /** What is missing in it, or null. */
    private String fault() {
        if (kind == null) return "without type";
        if (id == null || id.isEmpty()) return "without id";
        if (source == null || source.isEmpty()) return "without source";
        if (subject == null || subject.isEmpty()) return "without subject";
        if (time == NONE) return "without time";
        if (time > System.currentTimeMillis() + FUTURE_MS) return "from the future";
        return null;
    }

    /** Milliseconds since 1970 of an RFC 3339 time; the form that most producers write is read by hand. */
    static long instant(String text) {
        if (text == null) return NONE;
        boolean utc = text.length() == 29 && text.endsWith("+00:00") || text.length() == 24 && text.endsWith("Z");
        if (!utc || text.charAt(10) != 'T' || text.charAt(19) != '.') {
            return OffsetDateTime.parse(text).toInstant().toEpochMilli();
        }
        long day = LocalDate.of(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10)).toEpochDay();
        int second = (number(text, 11, 13) * 60 + number(text, 14, 16)) * 60 + number(text, 17, 19);
        return (day * 86_400 + second) * 1_000 + number(text, 20, 23);
    }

    private static int number(String text, int from, int to) {
        int number = 0;
        for (int at = from; at < to; at++) {
            int digit = text.charAt(at) - '0';
            if (digit < 0 || digit > 9) throw new DateTimeException("no time: " + text);
            number = number * 10 + digit;
        }
        return number;
    }
}
