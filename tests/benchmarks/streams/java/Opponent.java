import java.io.PrintStream;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The same job as sqm's worker, as far as the lanes need it, on Kafka Streams with exactly_once_v2.
 *
 * <p>Arguments: {@code bootstrap application-id events-topic output-prefix state-dir stores threads}. It tells of each
 * commit by a line of JSON on its standard output, and ends with its standard input.
 */
public final class Opponent {
    static final String IDS = "ids";
    static final String CASES = "cases";
    static final String CELLS = "cells";
    static final String VERDICTS = "verdicts";
    static final String REJECTED = "rejected";

    private static final PrintStream TOLD = System.out;

    private Opponent() {}

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err); // what logs is no word of ours
        String bootstrap = arguments[0], application = arguments[1], events = arguments[2], prefix = arguments[3];
        boolean inMemory = arguments[5].equals("memory");
        Properties settings = settings(bootstrap, application, arguments[4], Integer.parseInt(arguments[6]));
        Progress progress = new Progress(TOLD);
        KafkaStreams streams = new KafkaStreams(topology(events, prefix, inMemory), settings, new Clients(progress));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        System.in.readAllBytes();
        streams.close(Duration.ofSeconds(30));
        progress.tellPeak();
    }

    static Topology topology(String events, String prefix, boolean inMemory) {
        ByteArraySerializer bytes = new ByteArraySerializer();
        return new Topology()
                .addSource(AutoOffsetReset.earliest(), "events", (record, time) -> ((Event) record.value()).time(time),
                        new ByteArrayDeserializer(), (topic, raw) -> Event.read(raw), events)
                .addProcessor("fold", Fold::new, "events")
                // An id comes once: a record cache would only be in its way. Cells and cases come again and again.
                .addStateStore(store(IDS, inMemory, Serdes.ByteArray(), Serdes.Long()).withCachingDisabled(), "fold")
                .addStateStore(store(CASES, inMemory, Serdes.String(), Case.SERDE).withCachingEnabled(), "fold")
                .addStateStore(
                        store(CELLS, inMemory, Serdes.ByteArray(), Serdes.ByteArray()).withCachingEnabled(), "fold")
                .addSink(VERDICTS, prefix + "." + VERDICTS, bytes, bytes, "fold")
                .addSink(REJECTED, prefix + "." + REJECTED, bytes, bytes, "fold");
    }

    private static <K, V> StoreBuilder<KeyValueStore<K, V>> store(
            String name, boolean inMemory, Serde<K> keys, Serde<V> values) {
        KeyValueBytesStoreSupplier supplier =
                inMemory ? HashStore.supplier(name) : Stores.persistentKeyValueStore(name);
        return Stores.keyValueStoreBuilder(supplier, keys, values);
    }

    private static Properties settings(String bootstrap, String application, String folder, int threads) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000); // as sqm's checkpoint
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1); // as sqm's topics at the bench's one broker
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 512L << 20); // never full between two commits
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        // A static member, as sqm's workers are: a restart gets its partitions back at once.
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), "opponent");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 256L << 20);
        return settings;
    }
}
