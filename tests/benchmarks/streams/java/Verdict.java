import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** How one clock of a case stands. */
record Verdict(
        Clock clock, Outcome outcome, String service, String priority, long started, long due, long stopped) {
    enum Outcome { OPEN, MET, BREACHED }

    /** All of a case: none while it has not opened. */
    static List<Verdict> of(Case one) {
        List<Verdict> verdicts = new ArrayList<>(Clock.ALL.length);
        if (one.opened == Event.NONE) return verdicts;
        for (Clock clock : Clock.ALL) {
            long due = one.opened + clock.target(one.priority), stopped = clock.stopped(one);
            Outcome outcome = stopped != Event.NONE
                    ? stopped <= due ? Outcome.MET : Outcome.BREACHED
                    : one.ripe[clock.ordinal()] ? Outcome.BREACHED : Outcome.OPEN;
            verdicts.add(new Verdict(clock, outcome, one.service, one.priority, one.opened, due, stopped));
        }
        return verdicts;
    }

    long elapsed() {
        return stopped - started;
    }

    /** As a CloudEvent. */
    byte[] message(String subject, String change, Outcome old, long now) {
        long decided = outcome == Outcome.MET ? stopped : outcome == Outcome.BREACHED ? due : now;
        StringBuilder json = new StringBuilder(512);
        json.append("{\"specversion\":\"1.0\",\"id\":\"").append(subject).append('-').append(clock.title).append('-')
                .append(change).append('-').append(decided)
                .append("\",\"source\":\"streams\",\"type\":\"sqm.verdict.").append(change)
                .append("\",\"subject\":\"").append(subject)
                .append("\",\"time\":\"").append(Instant.ofEpochMilli(decided))
                .append("\",\"datacontenttype\":\"application/json\",\"data\":{\"case\":\"").append(subject)
                .append("\",\"clock\":\"").append(clock.title)
                .append("\",\"outcome\":\"").append(outcome.name().toLowerCase())
                .append("\",\"old_outcome\":");
        if (old == null) json.append("null");
        else json.append('"').append(old.name().toLowerCase()).append('"');
        json.append(",\"change\":\"").append(change)
                .append("\",\"started\":\"").append(Instant.ofEpochMilli(started))
                .append("\",\"due\":\"").append(Instant.ofEpochMilli(due))
                .append("\",\"target_seconds\":").append((due - started) / 1e3);
        if (stopped != Event.NONE) {
            json.append(",\"stopped\":\"").append(Instant.ofEpochMilli(stopped))
                    .append("\",\"elapsed_seconds\":").append(elapsed() / 1e3);
        }
        json.append(",\"labels\":{\"service\":\"").append(service)
                .append("\",\"priority\":\"").append(priority).append("\"}}}");
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }
}
