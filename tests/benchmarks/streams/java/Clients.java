import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.KafkaClientSupplier;

/** The usual clients, which tell of the first assignment and of each commit: cheaper than asking the broker. */
final class Clients implements KafkaClientSupplier {
    private static final ThreadLocal<Consumer<byte[], byte[]>> OWN = new ThreadLocal<>(); // of a StreamThread

    private final Progress progress;

    /** Whether a thread's consumer has handed out all that there is, and the last of it was processed. */
    static boolean caughtUp(TopicPartition where, long processed) {
        Consumer<byte[], byte[]> consumer = OWN.get();
        OptionalLong lag = consumer.currentLag(where);
        return lag.isPresent() && lag.getAsLong() == 0 && consumer.position(where) <= processed + 1;
    }

    Clients(Progress progress) {
        this.progress = progress;
    }

    @Override
    public Admin getAdmin(Map<String, Object> config) {
        return Admin.create(config);
    }

    @Override
    public Producer<byte[], byte[]> getProducer(Map<String, Object> config) {
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer()) {
            private final Map<TopicPartition, OffsetAndMetadata> sent = new HashMap<>();

            @Override
            public void sendOffsetsToTransaction(
                    Map<TopicPartition, OffsetAndMetadata> offsets, ConsumerGroupMetadata group) {
                super.sendOffsetsToTransaction(offsets, group);
                sent.putAll(offsets);
            }

            @Override
            public void commitTransaction() {
                super.commitTransaction();
                progress.committed(sent);
            }
        };
    }

    @Override
    public Consumer<byte[], byte[]> getConsumer(Map<String, Object> config) {
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer()) {
            @Override
            public void subscribe(Collection<String> topics, ConsumerRebalanceListener listener) {
                OWN.set(this);
                super.subscribe(topics, new ConsumerRebalanceListener() {
                    @Override
                    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                        progress.assigned();
                        listener.onPartitionsAssigned(partitions);
                    }

                    @Override
                    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                        listener.onPartitionsRevoked(partitions);
                    }

                    @Override
                    public void onPartitionsLost(Collection<TopicPartition> partitions) {
                        listener.onPartitionsLost(partitions);
                    }
                });
            }
        };
    }

    @Override
    public Consumer<byte[], byte[]> getRestoreConsumer(Map<String, Object> config) {
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    @Override
    public Consumer<byte[], byte[]> getGlobalConsumer(Map<String, Object> config) {
        return getRestoreConsumer(config);
    }
}
