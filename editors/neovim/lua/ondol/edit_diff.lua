--- Compares the lines that an edit replaces with its new lines. Pure functions.
local text = require('ondol.text')
local M = {}

local most_parts = 4 -- more changed parts of one line are hard to read, so they become one

---@class ondol.Hunk whole lines that change
---@field row integer the first line, from 0
---@field old string[] lines that go
---@field new string[] lines that come

---@class ondol.Change a changed part of one line
---@field first integer byte where it begins in the old line
---@field last integer byte where it ends, exclusive
---@field text string what replaces it

--- The words of a line: names and numbers, runs of blanks, single other characters.
local function words(line)
  local found, at = {}, 1
  while at <= #line do
    local word = line:match('^[%w_\128-\255]+', at) or line:match('^[ \t]+', at) or line:sub(at, at)
    found[#found + 1] = word
    at = at + #word
  end
  return found
end

local function diff(old, new)
  local function joined(list)
    return #list > 0 and table.concat(list, '\n') .. '\n' or ''
  end
  local compare = vim.text and vim.text.diff or vim.diff
  return compare(joined(old), joined(new), { result_type = 'indices' })
end

--- The changed parts of a line.
---@param old string
---@param new string
---@return ondol.Change[]
function M.changes(old, new)
  local before, after = words(old), words(new)
  local starts = { 0 }
  for index, word in ipairs(before) do
    starts[index + 1] = starts[index] + #word
  end
  local found = {}
  for _, part in ipairs(diff(before, after)) do
    local at, count, new_at, new_count = unpack(part)
    -- For an insertion the position is that of the word before it.
    at = count == 0 and at + 1 or at
    local come = table.concat(vim.list_slice(after, new_at, new_at + new_count - 1))
    found[#found + 1] = { first = starts[at], last = starts[at + count], text = new_count > 0 and come or '' }
  end
  if #found > most_parts then
    local first, last = found[1].first, found[#found].last
    local kept = #old - last
    return { { first = first, last = last, text = new:sub(first + 1, #new - kept) } }
  end
  return found
end

--- Removes the lines that both lists begin and end with. Returns how many they began with.
local function trim(old, new)
  local count = 0
  while #old > 0 and #new > 0 and old[1] == new[1] do
    table.remove(old, 1)
    table.remove(new, 1)
    count = count + 1
  end
  while #old > 0 and #new > 0 and old[#old] == new[#new] do
    old[#old], new[#new] = nil, nil
  end
  return count
end

--- The first and the last line of an edit's range, or nil if a document with `count` lines lacks them.
local function rows(edit, count)
  local first, last = vim.tbl_get(edit, 'range', 'start', 'line'), vim.tbl_get(edit, 'range', 'end', 'line')
  local numbers = type(first) == 'number' and type(last) == 'number'
  if numbers and first >= 0 and first <= last and last <= count then
    return first, last
  end
end

--- The lines that an LSP edit changes, or nil with a reason if it does not fit the lines of the document.
---@param edit table with `range` and `text`
---@param lines string[] all lines of the document
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return ondol.Hunk|nil
---@return string|nil reason
function M.hunk(edit, lines, encoding)
  local first, last = rows(edit, #lines)
  if not first then
    return nil, 'its range is outside the document'
  end
  -- A range may end after the last line end. Neovim has no line there.
  local first_line, last_line = lines[first + 1] or '', lines[last + 1] or ''
  local head = text.byte_of(first_line, edit.range.start.character, encoding)
  local tail = text.byte_of(last_line, edit.range['end'].character, encoding)
  if not head or not tail or (first == last and tail < head) then
    return nil, 'its range does not fit its line'
  end
  local old = vim.list_slice(lines, first + 1, last + 1)
  local whole = first_line:sub(1, head) .. edit.text:gsub('\r\n?', '\n') .. last_line:sub(tail + 1)
  local new = vim.split(whole, '\n', { plain = true })
  if last == #lines and new[#new] == '' then
    new[#new] = nil
  end
  local row = first + trim(old, new)
  if #old == 0 and #new == 0 then
    return nil, 'it changes nothing'
  end
  return { row = row, old = old, new = new }
end

--- Whether a cursor line is at the place of a hunk. The place of new lines is the line before or after them.
---@param hunk ondol.Hunk
---@param row integer from 0
---@return boolean
function M.at_place(hunk, row)
  if #hunk.old == 0 then
    return row == hunk.row or row == hunk.row - 1
  end
  return row >= hunk.row and row < hunk.row + #hunk.old
end

--- Where the cursor belongs before an edit: line from 0 and byte.
---@param hunk ondol.Hunk
---@return integer
---@return integer
function M.start(hunk)
  if #hunk.old == 0 or #hunk.new == 0 then
    return hunk.row, 0
  end
  local first = M.changes(hunk.old[1], hunk.new[1])[1]
  return hunk.row, first and first.first or 0
end

--- Where the cursor belongs after an edit was accepted: line from 0 and byte.
---@param hunk ondol.Hunk
---@return integer
---@return integer
function M.stop(hunk)
  local count = #hunk.new
  if count == 0 then
    return hunk.row, 0
  end
  local row, line = hunk.row + count - 1, hunk.new[count]
  local parts = hunk.old[count] and M.changes(hunk.old[count], line) or {}
  local last = parts[#parts]
  return row, last and #line - (#hunk.old[count] - last.last) or #line
end

return M
