import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** What is committed so far and what CPU time it took, told as lines of JSON. */
final class Progress {
    private final PrintStream out;
    private final OperatingSystemMXBean system =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final Map<TopicPartition, Long> committed = new ConcurrentHashMap<>();

    Progress(PrintStream out) {
        this.out = out;
    }

    void assigned() {
        tell();
    }

    void committed(Map<TopicPartition, OffsetAndMetadata> offsets) {
        offsets.forEach((where, offset) -> committed.put(where, offset.offset()));
        tell();
    }

    private synchronized void tell() {
        long records = committed.values().stream().mapToLong(Long::longValue).sum();
        double at = System.nanoTime() / 1e9, cpu = system.getProcessCpuTime() / 1e9;
        out.printf(java.util.Locale.ROOT, "{\"committed\": %d, \"cpu\": %.3f, \"at\": %.6f}%n", records, cpu, at);
        out.flush();
    }

    void tellPeak() throws IOException {
        String kilobytes = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:")).findFirst().orElseThrow().replaceAll("\\D", "");
        out.printf("{\"peak_mb\": %d}%n", Long.parseLong(kilobytes) / 1_024);
        out.flush();
    }
}
