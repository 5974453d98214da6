// The tests wait for the cluster much longer than they compute.
[assembly: CollectionBehavior(MaxParallelThreads = 8)]
