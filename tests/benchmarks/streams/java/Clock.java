/** The two clocks of the lanes' policy, with its targets. */
enum Clock {
    FIRST_RESPONSE("first_response"),
    RESOLUTION("resolution");

    static final Clock[] ALL = values();

    final String title;

    Clock(String title) {
        this.title = title;
    }

    /** Milliseconds within which it is to stop. */
    long target(String priority) {
        if (this == RESOLUTION) return 4 * 3_600_000;
        return "P1".equals(priority) ? 900_000 : 3_600_000;
    }

    long stopped(Case one) {
        return this == FIRST_RESPONSE ? one.responded : one.resolved;
    }

    long reported(Event event) {
        return this == FIRST_RESPONSE ? event.responseMs : event.resolutionMs;
    }
}
