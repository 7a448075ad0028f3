// A guest in Kotlin: classes, closures, collections, coroutines of a sequence, exceptions, far more garbage than is kept.
sealed class Shape { abstract fun area(): Double }
class Circle(val r: Double) : Shape() { override fun area() = 3.0 * r * r }
class Rect(val w: Double, val h: Double) : Shape() { override fun area() = w * h }

class Failure(val code: Int) : Exception("failure $code")

fun risky(n: Int): Int {
    if (n % 7 == 0) throw Failure(n)
    if (n % 11 == 0) throw IllegalStateException("eleven")
    return n
}

fun guarded(n: Int): Int = try {
    risky(n)
} catch (e: Failure) {
    -e.code
} finally {
    counter++
}

var counter = 0

fun main() {
    println("Hello from Kotlin!")
    val shapes = listOf<Shape>(Circle(2.0), Rect(3.0, 4.0))
    println(shapes.sumOf { it.area() })
    val words = "the quick brown fox jumps over the lazy dog the end".split(' ')
    println(words.groupingBy { it }.eachCount().toList().sortedBy { it.first }.joinToString())
    var sum = 0L
    for (i in 1..2000) {
        sum += try { guarded(i) } catch (e: IllegalStateException) { 1000 }
    }
    println("$sum $counter")
    try {
        val s: Any = "text"
        println((s as Int) + 1)
    } catch (e: ClassCastException) {
        println("class cast")
    }
    var tree: Map<Int, List<Int>> = emptyMap()
    for (i in 1..300) tree = tree + (i to List(i) { it * i })
    println(tree.values.sumOf { it.sum() })
    println(sequence { var x = 1; while (true) { yield(x); x *= 3 } }.take(10).toList())
    println(churn(100_000))
}

// Far more garbage than is kept: what is still in the map after many collections must be whole.
private fun churn(times: Int): Long {
    val kept = HashMap<Int, List<String>>()
    for (i in 0 until times) {
        kept[i * 7919 % 3000] = List(8) { "value $i of $it" }
        if (i % 5 == 0) kept.remove(i * 31 % 3000)
    }
    return kept.entries.sumOf { (key, values) -> key.toLong() * values.sumOf { it.hashCode().toLong() } }
}
